// A small reader of /openapi.json: no outside script is loaded, so the reference also works without a network.

const document_ = await (await fetch("/openapi.json")).json();
const resolve = (schema) => (schema?.$ref ? document_.components.schemas[schema.$ref.split("/").pop()] : schema);

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function sample(schema, depth = 0) {
  const known = resolve(schema) ?? {};
  if (known.examples?.length) return known.examples[0];
  if (known.const !== undefined) return known.const;
  if (known.enum) return known.enum[0];
  const choice = (known.anyOf ?? known.oneOf)?.find((each) => each.type !== "null");
  if (choice) return sample(choice, depth);
  if (known.type === "object" || known.properties) {
    if (depth > 4) return {};
    return Object.fromEntries(Object.entries(known.properties ?? {}).map(([name, each]) => [name, sample(each, depth + 1)]));
  }
  if (known.type === "array") return [sample(known.items, depth + 1)];
  if (known.type === "integer" || known.type === "number") return known.minimum ?? 0;
  if (known.type === "boolean") return true;
  return known.format ?? known.pattern ?? "text";
}

function parameter(each) {
  const shape = resolve(each.schema) ?? {};
  const words = [each.in, each.required ? "required" : "optional", each.description, shape.pattern, shape.default !== undefined ? `default ${shape.default}` : null];
  return [make("dt", {}, each.name), make("dd", {}, words.filter(Boolean).join(" · "))];
}

function body(title, content) {
  const schema = content?.["application/json"]?.schema;
  if (!schema || !Object.keys(schema).length) return null;
  return make("div", {}, make("p", {}, title), make("pre", {}, JSON.stringify(sample(schema), null, 2)));
}

function operation(path, method, each) {
  const section = make("section", {});
  if (each.parameters?.length) section.append(make("dl", {}, ...each.parameters.flatMap(parameter)));
  section.append(...[body("请求 request", each.requestBody?.content)].filter(Boolean));
  for (const [status, answer] of Object.entries(each.responses ?? {})) {
    section.append(make("dl", {}, make("dt", {}, status), make("dd", {}, answer.description ?? "")));
    const shown = status.startsWith("2") ? body("应答 answer", answer.content) : null;
    if (shown) section.append(shown);
  }
  return make("details", {},
    make("summary", {}, make("b", { "data-method": method }, method.toUpperCase()), make("code", {}, path), make("span", {}, each.summary ?? "")), section);
}

const groups = new Map();
for (const [path, methods] of Object.entries(document_.paths)) {
  for (const [method, each] of Object.entries(methods)) {
    const group = each.tags?.[0] ?? "";
    groups.set(group, [...(groups.get(group) ?? []), operation(path, method, each)]);
  }
}
document.getElementById("description").textContent = document_.info.description.replaceAll("`", "");
document.getElementById("operations").append(
  ...[...groups].flatMap(([name, operations]) => [make("h2", {}, name), ...operations]));
