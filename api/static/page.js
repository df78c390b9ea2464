// What every page needs: elements, times in China, questions to the service. Everything that comes from the server
// enters a page as text, never as markup.

// ---- making elements

export const byId = (id) => document.getElementById(id);

export function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

export const en = (text) => make("span", { lang: "en" }, text);
export const pair = ([zh, english]) => [zh, " ", en(english)];
export const named = (names, code) => names[code] ?? [code ?? "—", ""];

// A standard names reminders and escalation levels by codes alone; those that are built like the shipped ones are read out.
const LEVELS = {
  half: ["时限过半", "half of the time is over"],
  "three-quarters": ["时限已过四分之三", "three quarters of the time are over"],
  "nine-tenths": ["时限已过九成", "nine tenths of the time are over"],
  "half-again": ["超时又过半个时限", "over by half of the time again"],
  "third-working-day": ["第三个工作日", "third working day"],
  "fourth-working-day": ["第四个工作日", "fourth working day"],
};
const UNITS = { min: "分钟", hour: "小时", "working-day": "个工作日" };
const SINCE = { after: ["超时已", "since the lapse"], unacknowledged: ["未接单已", "not acknowledged"], "no-arrival": ["未到场已", "no arrival"] };

export function levelNamed(code) {
  const [, since, count, unit] = /^(after|unacknowledged|no-arrival)-(\d+)-(min|hour|working-day)s?$/.exec(code) ?? [];
  if (since) return [`${SINCE[since][0]} ${count} ${UNITS[unit]}`, `${count} ${unit.replace("-", " ")}${count > 1 && unit !== "min" ? "s" : ""} ${SINCE[since][1]}`];
  return LEVELS[code] ?? [code.replaceAll("-", " "), ""];
}

// The case's timeline is on the board.
export const caseLink = (each) => make("a", { href: `/?${new URLSearchParams({ case: each.case_id })}`, title: "时间线 timeline" }, each.case_number);

// On a narrow screen a row is shown as a card, and each cell says what stands above its column.
export function labelCells(rows) {
  const heads = [...rows.closest("table").querySelectorAll("thead th")].map((head) => head.firstChild.textContent.trim());
  for (const row of rows.children) {
    for (const [place, cell] of [...row.children].entries()) cell.dataset.label = heads[place];
  }
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const yuan = (fen) => `${(fen / 100).toLocaleString("zh-CN", { minimumFractionDigits: 2 })} 元`;

// ---- time

export const inChina = (options) => new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", hour12: false, ...options });
export const HOURS = inChina({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const DAY = inChina({ year: "numeric", month: "2-digit", day: "2-digit", weekday: "short" });
export const SHORT = inChina({ month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
export const EXACT = inChina({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const DATE = inChina({ year: "numeric", month: "2-digit", day: "2-digit" });

// ---- asking

const SESSION = "/api/v1/session";

export async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(8000) });
  const body = await answer.json();
  // What only staff may read: whoever has not signed in is led to where one does.
  if ([401, 403].includes(answer.status) && path !== SESSION && !(await session()).signed_in) location.assign(loginLink());
  if (!answer.ok) throw Object.assign(new Error(body.code ?? answer.status), { problem: body });
  return body;
}

// ---- who asks

// Asked for once; the page is loaded anew after somebody signed in or out.
let asked = null;
export const session = () => (asked ??= ask(SESSION));

export async function tell(path, body) {
  const { csrf_token: proof } = await session();
  const headers = { Accept: "application/json", "Content-Type": "application/json", ...(proof ? { "X-CSRF-Token": proof } : {}) };
  const answer = await fetch(path, { method: "POST", body: JSON.stringify(body), headers, signal: AbortSignal.timeout(8000) });
  const said = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(said.code ?? answer.status), { problem: said });
  return said;
}

export const loginLink = () => `/login?${new URLSearchParams({ next: location.pathname + location.search })}`;

async function showWho() {
  const links = document.querySelector(".links, .who");
  if (links === null) return;
  const who = await session();
  if (!who.signed_in) {
    links.append(make("a", { href: loginLink(), id: "who" }, "登录 ", en("sign in")));
    return;
  }
  const out = make("button", { type: "button", class: "take" }, "退出 ", en("sign out"));
  out.addEventListener("click", async () => {
    await tell("/api/v1/session/end", {}).catch(() => {});
    location.reload();
  });
  links.append(make("a", { href: loginLink(), id: "who", title: who.role }, who.actor), out);
}

showWho().catch(() => {});

// ---- pages that list what is to be done: they look again and again, and their choices stand in the address

export function offer(select, found, chosen) {
  const known = new Set([...select.options].map((option) => option.value));
  for (const each of [...new Set([...found, chosen])].filter(Boolean).sort()) {
    if (!known.has(each)) select.append(make("option", { value: each }, each));
  }
  if (document.activeElement !== select) select.value = chosen ?? "";
}

export async function lookAgain(look, everyMs, wanted, selects) {
  const round = async () => {
    try {
      await look();
      byId("failed").hidden = true;
    } catch (error) {
      byId("failed").hidden = false;
      byId("failed").replaceChildren(`${error.problem?.detail_zh ?? "暂时无法读取，请稍后重试。"} `, en("The data cannot be read at the moment."));
    }
    document.body.dataset.state = "shown";
  };
  for (const name of selects) {
    byId(name).value = wanted.get(name) ?? "";
    byId(name).addEventListener("change", (event) => {
      if (event.target.value) wanted.set(name, event.target.value);
      else wanted.delete(name);
      history.replaceState(null, "", wanted.size ? `?${wanted}` : location.pathname);
      round();
    });
  }
  const again = async () => {
    if (!document.hidden) await round();
    setTimeout(again, everyMs);
  };
  await again();
}
