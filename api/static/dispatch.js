// 调度: open incidents, the most overdue first, then the one due next; what is next in each, whose it is, and which crews are free near by.
import { SHORT, ask, byId, caseLink, en, labelCells, lookAgain, make, named, offer, pair, setText } from "./page.js";
import { COMMITMENTS, REPAIR_ACTIONS, ROLES, SEVERITIES, STAGES } from "./names.js";

const API = "/api/v1";
const ROWS = 80;
const AGAIN_MS = 2000;
const CLOSE_MS = 10 * 60 * 1000;
// Whose turn an incident can be; the address of another role shows its alerts and every incident.
const TURNS = ["dispatcher", "crew", "hotline"];

let labels = { fault_kinds: {}, districts: {} };
const wanted = new URLSearchParams(location.search);

// ---- one row

function near(each, now) {
  if (each.due_at === null) return "none";
  const left = Date.parse(each.due_at) - now;
  return left <= 0 ? "over" : left <= CLOSE_MS ? "today" : "later";
}

function due(each, now) {
  const lapsed = each.lapses ? make("span", { class: "lack" }, `超时 ${each.lapses} `, en("lapsed")) : null;
  if (each.due_at === null) return [make("b", {}, "— "), lapsed].filter(Boolean);
  const over = near(each, now) === "over" ? make("span", { class: "lack" }, "已逾期 ", en("overdue")) : null;
  const of = make("span", { class: "meta" }, ...pair(named(COMMITMENTS, each.commitment)));
  return [make("b", {}, SHORT.format(Date.parse(each.due_at))), of, over, over && lapsed ? " · " : null, lapsed].filter(Boolean);
}

function next(each) {
  const [first, ...others] = each.next_actions;
  if (!first) return ["—"];
  const also = others.map((step) => named(REPAIR_ACTIONS, step.action)[0]).join("、");
  return [
    make("b", {}, ...pair(named(REPAIR_ACTIONS, first.action))), make("span", { class: "meta" }, ...pair(named(ROLES, first.role))),
    also ? make("span", { class: "meta" }, `亦可：${also}`) : null,
  ].filter(Boolean);
}

// Of a crew that is held up: when it expects to be on site.
function crew(each) {
  if (each.crew === null) return ["—"];
  if (each.expected_at === null) return [each.crew];
  return [each.crew, make("span", { class: "meta" }, `预计 ${SHORT.format(Date.parse(each.expected_at))} 到场 `, en("expected on site"))];
}

function stage(each) {
  const severity = each.severity === null ? [] : [make("span", { class: "meta" }, ...pair(named(SEVERITIES, each.severity)))];
  // Of an arrival without evidence: until when it counts, and the evidence may follow.
  const evidence = each.evidence_due_at === null ? [] : [make("span", { class: "meta" }, `待补到场证据，至 ${SHORT.format(Date.parse(each.evidence_due_at))} `, en("arrival awaits evidence"))];
  return [...pair(named(STAGES, each.stage)), ...severity, ...evidence];
}

function shown(each, now, free) {
  const kind = labels.fault_kinds[each.kind] ?? each.kind;
  const where = labels.districts[each.district]?.name_zh ?? each.district;
  const reports = each.reports > 1 ? ` · 报修 ${each.reports}` : "";
  const crews = each.crew === null ? (free.get(each.district) ?? []) : [];
  const mass = each.mass === null ? null : make("span", { class: "mass", title: each.mass }, "群发事件 ", en("mass incident"));
  return make("tr", { data: { case: each.case_id, near: near(each, now) } },
    make("th", { scope: "row" }, caseLink(each), " ", mass, make("span", { class: "meta" }, `${kind} · ${where}${reports}`)),
    make("td", { class: "due" }, ...due(each, now)),
    make("td", {}, ...stage(each)),
    make("td", { class: "act wide" }, ...next(each)),
    make("td", {}, ...crew(each)),
    make("td", {}, crews.length ? crews.join("、") : "—"));
}

// ---- all of them

async function freeCrews(incidents) {
  const districts = [...new Set(incidents.filter((each) => each.crew === null).map((each) => each.district))];
  const found = await Promise.all(districts.map((district) =>
    ask(`${API}/crews/suggestions?${new URLSearchParams({ district })}`).catch(() => ({ crews: [] }))));
  return new Map(districts.map((district, place) => [district, found[place].crews.slice(0, 3).map((each) => each.crew)]));
}

async function look() {
  const query = new URLSearchParams({ limit: ROWS });
  if (TURNS.includes(wanted.get("role"))) query.set("role", wanted.get("role"));
  if (wanted.get("crew")) query.set("crew", wanted.get("crew"));
  const answer = await ask(`${API}/dispatch?${query}`);
  const free = await freeCrews(answer.incidents);
  const now = Date.parse(answer.at);
  byId("rows").replaceChildren(...answer.incidents.map((each) => shown(each, now, free)));
  labelCells(byId("rows"));
  setText(byId("n-open"), `${answer.incidents.length}${answer.more ? "+" : ""}`);
  byId("none").hidden = answer.incidents.length > 0 || wanted.size > 0;
  byId("none-chosen").hidden = answer.incidents.length > 0 || wanted.size === 0;
  byId("more").hidden = !answer.more;
  offer(byId("crew"), answer.incidents.map((each) => each.crew), wanted.get("crew"));
}

// ---- start

async function start() {
  // Who is on the road or at the telephone comes for the incidents; a dispatcher for what calls.
  if (wanted.get("crew") || ["crew", "hotline"].includes(wanted.get("role"))) {
    document.querySelector("main").append(byId("alerts").closest("section"));
  }
  try {
    labels = await ask(`${API}/labels`);
  } catch { /* codes are shown instead of names */ }
  await lookAgain(look, AGAIN_MS, wanted, ["role", "crew"]);
}

start();
