// 登录: sign in, choose a role, set a password and a second factor; in the demo, be one of its people.
import { openDB } from "./vendor/idb.js";
import { byId, make, named, session, setText, tell } from "./page.js";
import { ROLES } from "./names.js";

const API = "/api/v1/session";
const isEnglish = document.documentElement.lang === "en";
const t = (zh, english) => (isEnglish ? english : zh);
const inWords = (names, code) => t(...named(names, code));
// Only a path of our own: an address of somebody else's must not follow a sign-in. The browser itself says whose it is, for
// it takes a backslash for a slash and leaves out tabs.
function ownPath(wanted) {
  const { origin, pathname, search, hash } = new URL(wanted, location.origin);
  const isOwn = wanted.startsWith("/") && origin === location.origin && !pathname.startsWith("//");
  return isOwn && !pathname.startsWith("/login") ? pathname + search + hash : "/";
}
const wanted = new URLSearchParams(location.search).get("next") ?? "/";
const next = URL.canParse(wanted, location.origin) ? ownPath(wanted) : "/";

function failed(problem) {
  byId("failed").hidden = problem === null;
  if (problem !== null) byId("failed").textContent = t(problem.detail_zh ?? "暂时无法登录，请重试。", problem.detail ?? problem.title ?? "Try again.");
}

function values(form) {
  return Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
}

async function attempt(work) {
  failed(null);
  try {
    await work();
  } catch (error) {
    failed(error.problem ?? {});
  }
}

function onSubmit(id, work) {
  byId(id).addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => work(values(event.target)));
  });
}

async function started(view) {
  await forgetOutsideWork(view.actor);
  if (view.limited) location.reload();
  else location.assign(next);
}

onSubmit("form-sign-in", async (given) => started(await tell(API, given)));
onSubmit("form-password", async (given) => started(await tell(`${API}/password`, given)));
onSubmit("form-factor", async (given) => {
  const { codes, session: view } = await tell(`${API}/second-factor/confirmation`, given);
  if (codes.length === 0) return started(view); // the account had a second factor, which was shown
  byId("codes").replaceChildren(...codes.map((code) => make("li", {}, code)));
  byId("recovery").hidden = false;
  byId("form-factor").hidden = true;
});
byId("begin-factor").addEventListener("click", () => attempt(async () => {
  const { uri } = await tell(`${API}/second-factor`, {});
  setText(byId("secret"), new URL(uri).searchParams.get("secret"));
  byId("factor-secret").hidden = byId("form-factor").hidden = false;
}));

// What a page for outside work keeps of others' particulars ends with the session; entries that are not sent stay. So does
// a form that was open, for whoever signs in again as the one who filled it in.
async function forgetOutsideWork(actor = null) {
  const known = await indexedDB.databases?.() ?? [];
  if (!known.some((each) => each.name === "tongshui-field")) return;
  const db = await openDB("tongshui-field");
  for (const key of await db.getAllKeys("lists")) {
    const isOwn = actor !== null && key.startsWith("draft ") && (await db.get("lists", key)).actor === actor;
    if (!isOwn) await db.delete("lists", key);
  }
  await db.clear("particulars");
  db.close();
}

async function show() {
  const who = await session();
  byId("sign-in").hidden = who.signed_in && !who.limited;
  byId("signed-in").hidden = !who.signed_in;
  byId("factor").hidden = !who.signed_in;
  byId("password").hidden = !who.signed_in || who.by_provider;
  byId("provider").hidden = who.provider === null || (who.signed_in && !who.limited);
  byId("by-provider").href = `${API}/oidc?${new URLSearchParams({ next })}`;
  setText(byId("by-provider"), who.provider ?? "");
  if (who.signed_in) {
    setText(byId("who-is"), who.actor);
    byId("roles").append(...who.roles.map((role) => make("option", { value: role, ...(role === who.role ? { selected: "" } : {}) }, inWords(ROLES, role))));
    byId("sign-out").addEventListener("click", () => attempt(async () => { await forgetOutsideWork(); const ended = await tell(`${API}/end`, {}); location.assign(ended.leave_at ?? "/"); }));
    byId("roles").addEventListener("change", (event) => attempt(async () => started(await tell(`${API}/role`, { role: event.target.value }))));
    // Whose account has a second factor already shows its code.
    if (who.limited && who.by_provider) byId("form-factor").hidden = false;
    if (who.limited && who.by_provider) failed({ detail_zh: "该岗位须双重验证：请输入本账号的动态验证码，或在统一身份认证中使用双重验证重新登录。", title: "Your role needs a second factor: enter a code of your account's, or sign in at the provider with one." });
    else if (who.limited) failed({ detail_zh: "请先设置本人密码；该岗位还须启用动态验证码。", title: "Set your password first, and the second factor where your role needs one." });
  }
  byId("demo").hidden = who.demo_accounts.length === 0;
  byId("demo-accounts").replaceChildren(...who.demo_accounts.map((account) => {
    const button = make("button", { type: "button", class: "button", data: { actor: account.actor } }, inWords(ROLES, account.role));
    button.addEventListener("click", () => attempt(async () => started(await tell(`${API}/demo`, { actor: account.actor }))));
    return make("li", {}, button, " ", make("span", { class: "quiet small" }, [account.actor, ...account.bound_to].join(" · ")));
  }));
  document.body.dataset.state = "shown";
}

show().catch((error) => failed(error.problem ?? {}));
