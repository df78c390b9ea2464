// 窗口: the applications under way, the one due next first; what is missing in each and who does what next.
import { DAY, SHORT, ask, byId, caseLink, en, labelCells, lookAgain, make, named, offer, pair, setText } from "./page.js";
import { ACTIONS, CHANNELS, ROLES, STAGES } from "./names.js";

const API = "/api/v1";
const ROWS = 60;
const AT_ONCE = 4;
const AGAIN_MS = 4000;

let labels = { applicant_categories: {} };
const details = new Map();
const wanted = new URLSearchParams(location.search);

const CLOCKS = { runs: "时限照常计算", stands: "时限今日不计", none: "暂不计时限" };

// ---- one row

const localDay = (at) => DAY.format(at);

function near(each, now) {
  if (each.due_at === null || each.state === "cancelled" || each.state === "unknown") return "none";
  const due = Date.parse(each.due_at);
  if (due <= now) return "over";
  return localDay(due) === localDay(now) ? "today" : "later";
}

function due(each) {
  if (each.due_at === null || each.state === "cancelled" || each.state === "unknown") return [make("b", {}, "—"), make("i", {}, "暂不计时 ", en("not running"))];
  const tentative = each.tentative ? make("span", { class: "tentative" }, "暂定 ", en("tentative")) : null;
  const note = each.admitted_at === null ? make("i", {}, "自收件起预估 ", en("provisional, from receipt")) : null;
  return [make("b", {}, SHORT.format(Date.parse(each.due_at))), " ", tentative, note];
}

function missing(found) {
  if (found === undefined) return ["…"];
  const names = Object.fromEntries(found.documents.map((document) => [document.code, document.name_zh]));
  return found.missing.length ? [make("span", { class: "lack" }, found.missing.map((code) => names[code] ?? code).join("、"))] : ["—"];
}

function next(found) {
  if (found === undefined) return ["…"];
  const [first, ...others] = found.next_actions;
  if (!first) return ["—"];
  const also = others.map((each) => named(ACTIONS, each.action)[0]).join("、");
  return [
    make("b", {}, ...pair(named(ACTIONS, first.action))), make("span", { class: "meta" }, ...pair(named(ROLES, first.role))),
    also ? make("span", { class: "meta" }, `亦可：${also}`) : null,
    found.turn?.whose === "applicant" ? make("span", { class: "meta" }, `待申请人办理，${CLOCKS[found.turn.clock]}`) : null,
  ].filter(Boolean);
}

function shown(each, now) {
  const found = details.get(each.case_id)?.found;
  const category = labels.applicant_categories[each.category] ?? each.category;
  const points = each.supply_points > 1 ? ` · 用水点 ${each.points_on}/${each.supply_points}` : "";
  return make("tr", { data: { case: each.case_id, near: near(each, now) } },
    make("th", { scope: "row" }, caseLink(each), make("span", { class: "meta" }, `${category} · ${named(CHANNELS, each.channel)[0]}${points}`)),
    make("td", { class: "due" }, ...due(each)),
    make("td", {}, ...pair(named(STAGES, each.stage))),
    make("td", { class: "wide" }, ...missing(found)),
    make("td", { class: "act wide" }, ...next(found)),
    make("td", {}, each.owner ?? "—"));
}

// ---- all of them

async function look() {
  const query = new URLSearchParams({ limit: ROWS });
  if (wanted.get("owner")) query.set("owner", wanted.get("owner"));
  if (wanted.get("desk")) query.set("desk", wanted.get("desk"));
  const answer = await ask(`${API}/desk?${query}`);
  show(answer);
  await askDetails(answer);
}

function show(answer) {
  const now = Date.parse(answer.at);
  byId("rows").replaceChildren(...answer.applications.map((each) => shown(each, now)));
  labelCells(byId("rows"));
  setText(byId("n-open"), `${answer.applications.length}${answer.more ? "+" : ""}`);
  byId("none").hidden = answer.applications.length > 0;
  byId("more").hidden = !answer.more;
  offer(byId("owner"), answer.applications.map((each) => each.owner), wanted.get("owner"));
}

async function askDetails(answer) {
  const changed = answer.applications.filter((each) => details.get(each.case_id)?.version !== each.version);
  const queue = [...changed];
  const work = async () => {
    for (let each = queue.shift(); each; each = queue.shift()) {
      const found = await ask(`${API}/connections/${encodeURIComponent(each.case_id)}`).catch(() => undefined);
      if (found !== undefined) details.set(each.case_id, { version: each.version, found });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (changed.length) show(answer);
}

// ---- start

async function start() {
  try {
    labels = await ask(`${API}/labels`);
  } catch { /* codes are shown instead of names */ }
  await lookAgain(look, AGAIN_MS, wanted, ["owner"]);
}

start();
