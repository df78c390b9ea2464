// The page of who works outside. It works without a net: the list of tasks and every entry are kept on the telephone, an
// entry with the instant at which it happened and the key under which it is carried out once. What is kept is sent when
// there is a net again; what the service refuses stays here, with its reason, until somebody has seen to it. A form that is
// open is kept too, and opened again as it was when the page is loaded anew.
import { openDB } from "./vendor/idb.js";
import { byId, make } from "./page.js";

const root = byId("field");
const PAGE = location.pathname;
const TASKS = root.dataset.tasks + location.search;
const AGAIN_MS = 15_000;
const PART_WAIT_MS = 30_000;
const isEnglish = document.documentElement.lang === "en";
const t = (zh, en) => (isEnglish ? en : zh);
const WHEN = new Intl.DateTimeFormat(isEnglish ? "en-GB" : "zh-CN", { timeZone: "Asia/Shanghai", hour12: false, month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });

const db = await openDB("tongshui-field", 1, {
  upgrade(made) {
    made.createObjectStore("lists");
    made.createObjectStore("outbox", { keyPath: "key" });
    made.createObjectStore("particulars");
  },
});

let list = null; // the last list that the service told
let sending = false;
let others = null; // somebody else whose entries wait on this telephone
let problem = null; // why the last attempt to reach the service failed

// ---- the service's clock: the telephone's own may be wrong, and the demo's runs faster

const serviceNow = (at = Date.now(), clock = list) => (clock ? Date.parse(clock.at) + (at - clock.got) * clock.factor : at);

// ---- the outbox

const entries = async () => (await db.getAll("outbox")).sort((a, b) => a.order - b.order);
const own = async () => (await entries()).filter((each) => each.page === PAGE);

async function keep(entry) {
  await db.add("outbox", entry);
  await draw();
  send();
}

async function attempt(path, options = {}) {
  const answer = await fetch(path, { ...options, signal: AbortSignal.timeout(PART_WAIT_MS) });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(body.code ?? String(answer.status)), { status: answer.status, problem: body, again: answer.headers.has("Retry-After") });
  return body;
}

async function hex(blob) {
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return `sha256:${[...new Uint8Array(digest)].map((each) => each.toString(16).padStart(2, "0")).join("")}`;
}

async function upload(file, caseId, headers) {
  const digest = await hex(file.blob);
  const claim = { evidence_class: file.class, media_type: file.blob.type, size_bytes: file.blob.size, digest, case_id: caseId };
  const json = { ...headers, "Content-Type": "application/json" };
  const begun = await attempt("/api/v1/evidence", { method: "POST", headers: json, body: JSON.stringify(claim) });
  const path = `/api/v1/evidence/uploads/${begun.upload_id}`;
  for (let offset = begun.offset; offset < file.blob.size; offset += begun.part_bytes) {
    const part = file.blob.slice(offset, offset + begun.part_bytes);
    await attempt(path, { method: "PATCH", headers: { ...headers, "Content-Type": "application/octet-stream", "Upload-Offset": String(offset) }, body: part });
  }
  await attempt(`${path}/completion`, { method: "POST", headers: json, body: "{}" });
  return digest;
}

function put(body, name, value) {
  const parts = name.split(".");
  let place = body;
  parts.forEach((part, index) => {
    if (index === parts.length - 1) place[part] = value;
    else place = place[part] ??= /^\d+$/.test(parts[index + 1]) ? [] : {};
  });
}

async function sendOne(entry, proof) {
  const headers = { Accept: "application/json", ...(proof ? { "X-CSRF-Token": proof } : {}) };
  const body = structuredClone(entry.body);
  for (const file of entry.files) put(body, file.name, await upload(file, entry.caseId, headers));
  const answer = await attempt(entry.path, { method: "POST", headers: { ...headers, "Content-Type": "application/json", "Idempotency-Key": entry.key }, body: JSON.stringify(body) });
  // A batch is answered row by row.
  const [row] = answer.refused ?? [];
  if (row) throw Object.assign(new Error(row.code), { status: 422, problem: { code: row.code, detail: row.problem, detail_zh: row.problem_zh } });
}

// Refused for good: to send it again would be refused again. Everything else is tried again, and what a new session may do.
const BY_SESSION = ["csrf-token-missing", "session-ended", "session-limited", "second-factor-needed", "identity-not-proven"];
const isFinal = (error) => error.status >= 400 && error.status < 500 && !error.again && ![401, 408, 425, 429].includes(error.status) && !BY_SESSION.includes(error.problem?.code);

async function sendAll() {
  const waiting = (await entries()).filter((each) => each.state === "waiting");
  if (waiting.length === 0) return;
  const who = await attempt("/api/v1/session");
  others = null;
  for (const entry of waiting) {
    // Whoever entered it tells it: another person's session on the same telephone does not.
    if (entry.actor !== who.actor) {
      others = entry.actor;
      continue;
    }
    try {
      await sendOne(entry, who.csrf_token);
      await db.delete("outbox", entry.key);
    } catch (error) {
      if (!isFinal(error)) throw error;
      await db.put("outbox", { ...entry, state: "refused", problem: error.problem });
    }
  }
}

async function send() {
  if (sending) return;
  sending = true;
  try {
    await navigator.locks.request("tongshui-field", sendAll);
    await look();
  } catch (error) {
    tellProblem(error);
  } finally {
    sending = false;
  }
  await draw();
}

function tellProblem(error) {
  if (error.status === 401 || error.status === 403) problem = t("请登录后继续；记录都在本机，不会丢失", "Sign in to go on; what you entered is kept here");
  else if (error.problem?.code) problem = t(error.problem.detail_zh, error.problem.detail);
  else problem = t("没有网络；记录都在本机，恢复后自动发送", "No net; what you enter is kept here and sent by itself");
}

// ---- the list

async function look() {
  const got = Date.now();
  const answer = await attempt(TASKS).catch(async (error) => {
    // Whoever may not see the list any more sees nothing of what was kept of it.
    if (error.status === 401 || error.status === 403) await forgetAll((draft) => draft !== null);
    throw error;
  });
  if (list !== null && list.actor !== answer.actor) await forgetAll((draft) => draft?.actor === answer.actor);
  list = { ...answer, got };
  problem = null;
  await db.put("lists", list, PAGE + location.search);
  await forget(list.tasks);
}

// What was shown of a person stays on the telephone for as long as the task is on the list, and no longer.
async function forget(tasks) {
  const ids = new Set(tasks.map((task) => keyOf(task)));
  for (const key of await db.getAllKeys("particulars")) if (key.startsWith(`${PAGE} `) && !ids.has(key)) await db.delete("particulars", key);
}

const keyOf = (task) => `${PAGE} ${task.case_id}`;

// What somebody entered themselves waits for them; what was shown to them does not.
async function forgetAll(staysOf) {
  list = null;
  for (const key of await db.getAllKeys("lists")) {
    const draft = key.startsWith(DRAFT) ? await db.get("lists", key) : null;
    if (!staysOf(draft)) await db.delete("lists", key);
  }
  await db.clear("particulars");
  byId("tasks").replaceChildren();
  if (shown !== null && !staysOf(shown)) closeForm();
}

// ---- the form that is open

const DRAFT = "draft "; // before the address of the page: the key of its form among the lists
const draftKey = () => DRAFT + PAGE + location.search;
let shown = null; // the form that is open: of which task, since when, by whom, and what stands in it

function entered(made) {
  const named = [...made.elements].filter((each) => each.name);
  return Object.fromEntries(named.map(({ name }) => {
    const inputs = named.filter((each) => each.name === name);
    if (inputs[0].type === "file") return [name, [...inputs[0].files]];
    return [name, inputs.filter((each) => !["radio", "checkbox"].includes(each.type) || each.checked).map((each) => each.value)];
  }));
}

function fill(made, values) {
  for (const input of made.elements) {
    const given = values[input.name];
    if (given === undefined) continue;
    if (input.type === "file") {
      const files = new DataTransfer();
      for (const file of given) files.items.add(file);
      input.files = files.files;
    } else if (["radio", "checkbox"].includes(input.type)) input.checked = given.includes(input.value);
    else [input.value] = given;
  }
}

async function keepDraft(draft) {
  // One that was sent or discarded in the meantime does not come back.
  if (shown === draft) await db.put("lists", draft, draftKey());
}

async function dropDraft() {
  closeForm();
  await db.delete("lists", draftKey());
}

function closeForm() {
  shown = null;
  delete byId("entry").dataset.open;
  byId("entry").replaceChildren();
}

async function openDraft() {
  const draft = await db.get("lists", draftKey());
  if (draft && draft.actor === list?.actor && list.forms[draft.operation]) openForm(draft);
}

// ---- drawing

function left(instant) {
  const minutes = Math.trunc((Date.parse(instant) - serviceNow()) / 60_000);
  const long = Math.abs(minutes) >= 120 ? `${Math.trunc(Math.abs(minutes) / 60)} ${t("小时", "h")} ${Math.abs(minutes) % 60} ${t("分", "min")}` : `${Math.abs(minutes)} ${t("分钟", "min")}`;
  return minutes < 0 ? [t(`超 ${long}`, `${long} over`), "bad"] : [t(`剩 ${long}`, `${long} left`), minutes < 30 ? "near" : "plain"];
}

function button(text, classes, onPress) {
  const made = make("button", { type: "button", class: `button ${classes}` }, text);
  made.addEventListener("click", onPress);
  return made;
}

function offered(task, operation, classes) {
  const form = list.forms[operation];
  return form && button(form.name, classes, () => begin(task, operation));
}

async function taskCard(task, kept) {
  const due = task.due_at ? left(task.due_at) : null;
  const waiting = kept.filter((each) => each.taskId === task.id);
  const done = new Set(waiting.map((each) => each.operation));
  const next = task.next.filter((operation) => !done.has(operation));
  // While something waits to be sent nobody can be asked what is next: then the usual order says it.
  const last = Math.max(-1, ...[...done].map((operation) => task.usual.indexOf(operation)));
  const following = next.length || waiting.length === 0 ? next : task.usual.slice(last + 1, last + 2);
  const others = task.actions.filter((operation) => !following.includes(operation)).map((operation) => offered(task, operation, "")).filter(Boolean);
  return make("li", { class: "card", data: { task: task.id } },
    make("h2", {}, task.title),
    make("p", {}, make("a", { href: task.href }, task.number), " ", make("span", { class: "badge" }, task.stage), task.note ? make("span", { class: "badge" }, task.note) : null),
    due ? make("p", {}, make("b", { class: `big tone-${due[1]}` }, due[0]), " ", make("span", { class: "quiet" }, `${task.promise} ${WHEN.format(Date.parse(task.due_at))}`)) : null,
    ...waiting.map((each) => make("p", { class: "note near" }, `${t("待发送", "to be sent")}: ${each.name} ${WHEN.format(Date.parse(each.at))}`)),
    make("div", { class: "field-buttons" }, ...following.map((operation) => offered(task, operation, "first large")).filter(Boolean)),
    await person(task),
    others.length ? make("details", {}, make("summary", {}, t("其他", "other")), make("div", { class: "field-buttons" }, ...others)) : null);
}

async function person(task) {
  if (!task.particulars) return null;
  const known = await db.get("particulars", keyOf(task));
  if (known) {
    return make("dl", { class: "known" }, ...known.flatMap((each) => [
      make("dt", {}, t("联系", "contact")), make("dd", {}, each.name ?? "", " ", each.phone ? make("a", { href: `tel:${each.phone}` }, each.phone) : ""),
      make("dt", {}, t("地址", "address")), make("dd", {}, each.address ?? "—"),
    ]));
  }
  return button(t("显示地址和电话", "show address and telephone"), "", async () => {
    try {
      const who = await attempt("/api/v1/session");
      const headers = { "Content-Type": "application/json", ...(who.csrf_token ? { "X-CSRF-Token": who.csrf_token } : {}) };
      const found = await attempt(`/api/v1/cases/${task.case_id}/particulars`, { method: "POST", headers, body: JSON.stringify({ reason: task.particulars }) });
      await db.put("particulars", found.subjects, keyOf(task));
    } catch (error) {
      tellProblem(error);
    }
    await draw();
  });
}

async function outboxCard(kept) {
  const refused = kept.filter((each) => each.state === "refused");
  const waiting = kept.length - refused.length;
  if (kept.length === 0) return null;
  return make("section", { class: `note ${refused.length ? "bad" : "near"}`, id: "outbox" },
    make("h2", {}, refused.length ? t(`${refused.length} 条未被接受`, `${refused.length} not accepted`) : t(`${waiting} 条待发送`, `${waiting} to be sent`)),
    ...refused.map((each) => make("div", {},
      make("p", {}, `${each.number} · ${each.name} · ${WHEN.format(Date.parse(each.at))}`),
      make("p", {}, t(each.problem?.detail_zh, each.problem?.detail) ?? each.problem?.code ?? ""),
      make("div", { class: "bar" },
        button(t("再发一次", "send again"), "", async () => { await db.put("outbox", { ...each, state: "waiting" }); send(); }),
        button(t("删除此条", "drop it"), "danger", async () => {
          if (!confirm(t("删除后不再发送，确定吗？", "It will not be sent. Are you sure?"))) return;
          await db.delete("outbox", each.key);
          await draw();
        })))));
}

// Nothing is replaced under a finger: what it presses would be gone before it is let go, and the press lost.
let letGo = Promise.resolve();
document.addEventListener("pointerdown", () => {
  letGo = new Promise((done) => {
    for (const over of ["pointerup", "pointercancel"]) document.addEventListener(over, () => setTimeout(done), { once: true });
  });
});

let drawing = 0; // the newest drawing: an older one that ends later replaces nothing

async function draw() {
  if (byId("entry").dataset.open) return; // somebody is filling a form in
  drawing += 1;
  const turn = drawing;
  const kept = await own();
  const outbox = await outboxCard(kept);
  const cards = list && await Promise.all(list.tasks.map((task) => taskCard(task, kept)));
  await letGo;
  if (turn !== drawing) return;
  const status = byId("status");
  status.replaceChildren(
    problem ? make("p", { class: "note near", role: "status" }, problem) : "",
    others ? make("p", { class: "note near", role: "status" }, t(`有 ${others} 的记录待发送，请由其登录`, `${others} has entries to send, and has to sign in`)) : "",
    list ? make("p", { class: "quiet small" }, `${t("更新于", "as of")} ${WHEN.format(Date.parse(list.at))}${list.owner ? ` · ${list.owner}` : ""}`) : make("p", {}, t("正在读取…", "loading…")));
  if (outbox) status.append(outbox);
  byId("unsent").textContent = kept.length ? String(kept.length) : "";
  if (!cards || list === null) return;
  // Looked at only now: what somebody unfolded while the cards were made stays unfolded.
  const unfolded = new Set([...byId("tasks").querySelectorAll("details[open]")].map((each) => each.closest("li").dataset.task));
  for (const card of cards) if (unfolded.has(card.dataset.task)) card.querySelector("details")?.setAttribute("open", "");
  byId("tasks").replaceChildren(...cards);
  byId("none").hidden = cards.length > 0 || list.choose.length > 0;
  byId("choose").replaceChildren(...list.choose.map(([code, name]) => make("li", {}, make("a", { class: "card", href: `?crew=${encodeURIComponent(code)}` }, make("b", {}, code), name))));
  root.dataset.state = "shown";
}

// ---- an entry

function begin(task, operation) {
  const form = list.forms[operation];
  const at = Date.now();
  const draft = { task, operation, at, actor: list.actor, clock: { at: list.at, got: list.got, factor: list.factor }, values: {}, fix: {} };
  if (form.fields.length === 0) finish(draft, form, {}, []);
  else openForm(draft);
}

function finish({ task, operation, at, actor, clock }, form, values, files) {
  const body = structuredClone(form.filled);
  for (const [name, value] of Object.entries({ ...(task.filled?.[operation] ?? {}), ...values })) put(body, name, value);
  const happened = new Date(serviceNow(at, clock)).toISOString();
  put(body, form.at ?? "happened_at", happened);
  // When the telephone took it down: a fact that waited for a net is told late by no fault of who was there.
  if (!form.at) put(body, "reported_at", happened);
  const path = form.path.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(task.parameters[name]));
  return keep({
    key: crypto.randomUUID(), order: Date.now(), page: PAGE, taskId: task.id, caseId: task.case_id, number: task.number, operation, name: form.name,
    path, body, files, at: happened, actor, state: "waiting",
  });
}

function openForm(draft) {
  const { task, operation, at, fix } = draft;
  const form = list.forms[operation];
  const place = byId("entry");
  const made = make("form", { class: "form card", novalidate: "" });
  const kept = () => { draft.values = entered(made); return keepDraft(draft); };
  made.append(make("h2", {}, `${form.name} · ${task.number}`), make("p", { class: "quiet" }, `${t("时间", "at")} ${WHEN.format(serviceNow(at, draft.clock))}`));
  for (const field of form.fields) made.append(...drawn(field, fix, kept));
  fill(made, draft.values);
  made.addEventListener("input", kept);
  made.addEventListener("change", kept);
  const wrong = make("p", { class: "wrong", role: "alert" });
  const close = () => dropDraft().then(draw);
  made.append(wrong, make("button", { class: "button first large" }, form.name), button(t("取消", "cancel"), "large", close));
  made.addEventListener("submit", async (event) => {
    event.preventDefault();
    const missing = [...made.querySelectorAll("[required]")].find((each) => !(each.type === "radio" ? made.elements[each.name].value : each.value));
    if (missing) {
      wrong.textContent = t("还有必填项未填写", "Something that is needed is missing");
      missing.focus();
      return;
    }
    const { values, files } = read(made, form.fields, fix);
    closeForm();
    await finish(draft, form, values, files);
    await dropDraft();
    byId("tasks").focus();
  });
  place.dataset.open = "yes";
  place.replaceChildren(made);
  shown = draft;
  kept();
  made.scrollIntoView();
  (made.querySelector("input, select") ?? made.querySelector("button")).focus({ preventScroll: true });
}

// ``found``: what to do once the position is known, which goes into ``fix``.
function drawn(field, fix, found) {
  const id = `f-${field.name.replaceAll(".", "-")}`;
  const needed = field.required ? { required: "" } : {};
  if (field.widget === "position") {
    const told = make("p", { class: "hint", id }, t("正在定位…", "looking for the position…"));
    locate(field, fix, told, found);
    return [make("div", { class: "field" }, make("span", { class: "label" }, field.label), told)];
  }
  if (field.widget === "group") return [make("fieldset", {}, make("legend", {}, field.label), ...field.fields.flatMap((each) => drawn(each, fix, found)))];
  if (field.widget === "rows") return field.fields.slice(0, 1).flatMap((row) => row.fields.flatMap((each) => drawn(each, fix, found)));
  if (field.widget === "radio" || field.widget === "checks") {
    const type = field.widget === "radio" ? "radio" : "checkbox";
    const options = field.choices.map(([code, name]) => make("label", {}, make("input", { type, name: field.name, value: code, ...needed }), name));
    return [make("fieldset", { class: "bare" }, make("legend", {}, field.label), make("div", { class: "pick" }, ...options))];
  }
  let input;
  if (field.widget === "select") input = make("select", { id, name: field.name, ...needed }, make("option", { value: "" }, t("请选择", "choose")), ...field.choices.map(([code, name]) => make("option", { value: code }, name)));
  else if (field.widget === "file") input = make("input", { id, name: field.name, type: "file", accept: "image/*", capture: "environment", ...needed });
  else {
    const type = { number: "number", date: "date", datetime: "datetime-local" }[field.widget] ?? "text";
    input = make("input", { id, name: field.name, type, ...field.bounds, ...needed, ...(field.decimal ? { inputmode: "decimal" } : {}) });
  }
  return [make("div", { class: "field" }, make("label", { for: id }, field.label), input)];
}

function locate(field, fix, told, found) {
  const tell = (text) => { told.textContent = text; };
  // Where it was pressed counts, and not where the page was loaded anew.
  if (field.fields.some((each) => each.name in fix)) return tell(t("已定位", "found"));
  if (!navigator.geolocation) return tell(t("本机不能定位", "this telephone has no position"));
  return navigator.geolocation.getCurrentPosition(({ coords }) => {
    const place = { latitude: coords.latitude, longitude: coords.longitude, accuracy_m: Math.ceil(coords.accuracy) };
    for (const each of field.fields) {
      const value = place[each.name.split(".").pop()];
      if (value !== undefined) fix[each.name] = value;
    }
    found();
    tell(t(`已定位，误差 ${Math.ceil(coords.accuracy)} 米`, `found, within ${Math.ceil(coords.accuracy)} m`));
  }, () => tell(t("未能定位，可以照常提交", "no position; you can go on without")), { enableHighAccuracy: true, timeout: 10_000, maximumAge: 30_000 });
}

function read(made, fields, fix) {
  const values = { ...fix };
  const files = [];
  const leaves = (each) => (each.fields.length && each.widget !== "position" ? (each.widget === "rows" ? each.fields.slice(0, 1) : each.fields).flatMap(leaves) : [each]);
  for (const field of fields.flatMap(leaves)) {
    const inputs = [...made.querySelectorAll(`[name="${CSS.escape(field.name)}"]`)];
    if (field.widget === "file") {
      const blob = inputs[0]?.files?.[0];
      if (blob) files.push({ name: field.name, blob, class: field.evidence_class });
    } else if (field.widget === "checks") {
      const chosen = inputs.filter((each) => each.checked).map((each) => each.value);
      if (chosen.length) values[field.name] = chosen;
    } else {
      const text = field.widget === "radio" ? inputs.find((each) => each.checked)?.value ?? "" : inputs[0]?.value ?? "";
      if (text !== "") values[field.name] = typed(field, text);
    }
  }
  return { values, files };
}

function typed(field, text) {
  if (field.widget === "number") return Number(text);
  if (field.widget === "datetime") return new Date(`${text}:00+08:00`).toISOString();
  if (field.boolean) return text === "true";
  return text;
}

// ---- start

async function round() {
  await send();
  if (!sending) await look().catch(tellProblem);
  await draw();
}

list = (await db.get("lists", PAGE + location.search)) ?? null;
await draw();
await openDraft();
await round();
if (shown === null) await openDraft();
setInterval(() => { if (!document.hidden) round(); }, AGAIN_MS);
addEventListener("online", round);
document.addEventListener("visibilitychange", () => { if (!document.hidden) round(); });
// The page itself, for when there is no net; where the browser has no workers it needs the net to open.
async function keepPage() {
  await navigator.serviceWorker.register("/field-worker.js");
  const made = performance.getEntriesByType("resource").map((each) => new URL(each.name)).filter((each) => each.pathname.startsWith("/static/"));
  const kept = await caches.open("tongshui-field-1");
  await kept.addAll([PAGE, ...new Set(made.map((each) => each.pathname))]);
  root.dataset.kept = "yes";
}
if (navigator.serviceWorker) keepPage().catch(() => {});
