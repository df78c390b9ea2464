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

export const named = (names, code) => names[code] ?? [code ?? "—", ""];

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export const yuan = (fen) => `${(fen / 100).toLocaleString("zh-CN", { minimumFractionDigits: 2 })} 元`;

// ---- time

const inChina = (options) => new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", hour12: false, ...options });
export const HOURS = inChina({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
export const DAY = inChina({ year: "numeric", month: "2-digit", day: "2-digit", weekday: "short" });
export const SHORT = inChina({ month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });
export const EXACT = inChina({ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });

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

const loginLink = () => `/login?${new URLSearchParams({ next: location.pathname + location.search })}`;
