// 告警: what calls staff and nobody has in hand, and the button that takes it in hand, for whoever is signed in.
import { SHORT, ask, byId, caseLink, en, labelCells, levelNamed, make, named, pair, session, setText, tell } from "./page.js";
import { CHANGES, COMMITMENTS, ROLES } from "./names.js";

const API = "/api/v1";
const ROWS = 50;
const AGAIN_MS = 2000;
const KEPT = "tongshui-me";

const me = { role: "", ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
// A role's own address, such as /dispatch?role=crew, shows the alerts of that role.
const asked = new URLSearchParams(location.search).get("role");
if (asked in ROLES) me.role = asked;

// ---- one row

function what(alert) {
  const step = alert.step === null ? null : make("span", { class: "meta", title: alert.step }, ...pair(levelNamed(alert.step)));
  const urgent = alert.urgent ? make("span", { class: "lack" }, "紧急 ", en("urgent")) : null;
  return [make("b", {}, ...pair(named(CHANGES, alert.change))), make("span", { class: "meta" }, ...pair(named(COMMITMENTS, alert.commitment))), step, urgent].filter(Boolean);
}

function shown(alert, now) {
  const button = make("button", { type: "button", class: "take" }, "接手 ", en("take"));
  button.addEventListener("click", () => take(alert, button));
  const over = Date.parse(alert.due_at) <= now;
  const mass = alert.mass === null ? null : make("span", { class: "mass", title: alert.mass }, "群发事件 ", en("mass incident"));
  return make("tr", { data: { alert: alert.id, near: over ? "over" : "today" } },
    make("th", { scope: "row" }, caseLink(alert), " ", mass),
    make("td", { class: "wide" }, ...what(alert)),
    make("td", { class: "due" }, make("b", {}, SHORT.format(Date.parse(alert.due_at)))),
    make("td", { class: "wide" }, ...alert.roles.map((role) => make("span", { class: "role" }, ...pair(named(ROLES, role))))),
    make("td", {}, button));
}

// ---- taking it in hand

function failed(problem) {
  byId("alert-failed").hidden = problem === null;
  if (problem !== null) byId("alert-failed").replaceChildren(`${problem.detail_zh ?? "暂时无法保存，请重试。"} `, en(problem.title ?? "Not saved; try again."));
}

async function take(alert, button) {
  if (!(await session()).signed_in) {
    failed({ detail_zh: "请先登录，再接手告警。", title: "Sign in first, then take the alert in hand." });
    return;
  }
  button.disabled = true;
  const body = alert.change === "nearing" ? { rung: alert.step } : { lapse: alert.lapse };
  try {
    await tell(`${API}/cases/${alert.case_id}/windows/${alert.commitment}/acknowledgement`, body);
    failed(null);
    await look();
  } catch (error) {
    failed(error.problem ?? {});
    button.disabled = false;
  }
}

// ---- all of them

async function look() {
  const query = new URLSearchParams({ limit: ROWS });
  if (me.role) query.set("role", me.role);
  const answer = await ask(`${API}/alerts?${query}`);
  const now = Date.parse(answer.at);
  const rows = byId("alerts");
  // A row that is still there stays, so that a button does not go away under the hand.
  const known = new Map([...rows.children].map((row) => [row.dataset.alert, row]));
  rows.replaceChildren(...answer.alerts.map((alert) => known.get(alert.id) ?? shown(alert, now)));
  labelCells(rows);
  setText(byId("n-alerts"), `${answer.alerts.length}${answer.more ? "+" : ""}`);
  byId("no-alerts").hidden = answer.alerts.length > 0;
  byId("more-alerts").hidden = !answer.more;
}

async function again() {
  if (!document.hidden) await look().catch((error) => failed(error.problem ?? { detail_zh: "暂时无法读取，请稍后重试。" }));
  setTimeout(again, AGAIN_MS);
}

function choose(name, input) {
  input.value = me[name];
  input.addEventListener("change", () => {
    me[name] = input.value.trim();
    localStorage.setItem(KEPT, JSON.stringify(me));
    look().catch(() => {});
  });
}

byId("me-role").append(...Object.entries(ROLES).map(([code, [zh, english]]) => make("option", { value: code }, `${zh} ${english}`)));
choose("role", byId("me-role"));
again();
