// 公示: what is promised, asked for and charged, what was built, and how well it was kept.
import { DATE, ask, byId, en, make, named, pair, yuan } from "./page.js";
import { BASES, CHANNELS, REASONS, STAGES } from "./names.js";

const cell = (...children) => make("td", {}, ...children);
const number = (text) => make("td", { class: "number" }, text);
const heading = (...children) => make("th", { scope: "row" }, ...children);
const row = (...cells) => make("tr", {}, ...cells);
const day = (text) => DATE.format(Date.parse(text));
const percent = (value) => (value === null ? "—" : `${value} %`);

function fill(id, rows) {
  byId(id).replaceChildren(...rows);
}

// ---- what is promised

function tile(value, zh, english) {
  return make("div", { class: "tile" }, make("b", {}, String(value)), make("span", {}, zh), make("i", { lang: "en" }, english));
}

function showPromise(shown) {
  const promise = shown.promise;
  fill("promise", promise === null ? [] : [
    tile(promise.steps, "个环节", "steps"),
    tile(promise.documents, "份材料，至多", "documents at most"),
    tile(promise.working_days, "个工作日", "working days"),
    tile(promise.fees, "项收费，至多", "fees at most"),
    tile(promise.trips_remote, "次跑腿（网上、上门）", "trips, online or at home"),
    tile(promise.trips_otherwise, "次跑腿，至多（窗口、热线）", "trip at most, otherwise"),
  ]);
  byId("standard").replaceChildren(
    `标准 ${shown.standard}，自 ${day(shown.effective_from)} 起施行。 `,
    en(`Standard ${shown.standard}, in force from ${shown.effective_from.slice(0, 10)}.`));
  fill("steps", shown.steps.map((step) => make("li", {}, step.name_zh)));
}

const documents = (listed) => listed.map((each) =>
  make("div", {}, `${each.name_zh}（${each.met_by.map((way) => way.name_zh).join("、")}）`));

function showDocuments(shown) {
  fill("documents", shown.documents.map((each) => row(
    heading(each.name_zh),
    cell(...documents(each.documents.filter((one) => one.main))),
    cell(...documents(each.documents.filter((one) => !one.main))))));
}

function limit(each) {
  if (each.working_days !== null) return [`${each.working_days} 个工作日 `, en(`${each.working_days} working day${each.working_days === 1 ? "" : "s"}`)];
  if (each.minutes === null) return ["不设终限，连续作业至通水 ", en("no end limit: continuous work")];
  const hours = each.minutes / 60;
  return each.minutes >= 120 && Number.isInteger(hours) ? [`${hours} 小时 `, en(`${hours} h`)] : [`${each.minutes} 分钟 `, en(`${each.minutes} min`)];
}

// ---- the law

const SEEN = { primary: ["发布机关", "the issuing body"], secondary: ["仅见于二手来源", "seen in a secondary source only"] };

function basis(each, law) {
  const found = each.basis.map((code) => law.find((article) => article.code === code)).filter(Boolean);
  return found.length > 0 ? found.map((article) => make("div", {}, article.cited)) : ["本单位承诺 ", en("the utility's own promise")];
}

function showLaw(shown) {
  fill("law", shown.law.map((article) => row(
    heading(article.cited),
    cell(article.summary_zh, " ", en(article.summary)),
    cell(`${SEEN[article.source_kind][0]}：${article.source} `, en(SEEN[article.source_kind][1])))));
}

// ---- what is charged

function showFees(shown) {
  fill("fees", shown.fees.map((fee) => row(
    heading(fee.name_zh),
    cell(fee.formula_zh, " ", en(fee.formula)),
    cell(fee.legal_basis),
    number(fee.cap_fen === null ? "—" : yuan(fee.cap_fen)),
    fee.chargeable ? cell("执行中 ", en("charged")) : make("td", { class: "off" }, "停止收取 ", en("switched off")))));
  byId("banned").replaceChildren(
    `依法不得收取：${shown.banned.join("、")}。 `, en("These may never be charged; who tries is refused, and the attempt is on record."));
}

// ---- what was built

function progress(work) {
  if (work.completed_at) return [`${day(work.completed_at)} 完工 `, en("completed")];
  if (work.started_at) return [`${day(work.started_at)} 开工 `, en("started")];
  return ["已登记 ", en("registered")];
}

function showWorks(shown) {
  const kinds = Object.fromEntries(shown.works_kinds.map((kind) => [kind.code, kind.name_zh]));
  fill("works", shown.works.map((work) => row(
    heading(work.name_zh), cell(kinds[work.kind] ?? work.kind), cell(...progress(work)),
    number(work.households_served === null ? "—" : String(work.households_served)))));
  byId("no-works").hidden = shown.works.length > 0;
}

// ---- how well it was kept

const days = (spread) => [spread.median, spread.p90].map((minutes) => (minutes === null ? "—" : (minutes / 1440).toFixed(1))).join(" / ");
const figure = ([zh, english], value) => row(heading(zh, " ", en(english)), number(String(value)));
const grouped = (title, counts, names) => Object.entries(counts).map(([code, count]) => {
  const [zh, english] = named(names, code);
  return figure([`${title}：${zh}`, english], count);
});

function showFigures(shown) {
  const f = shown.figures;
  const categories = Object.fromEntries(shown.documents.map((each) => [each.category, [each.name_zh, each.category]]));
  fill("figures", [
    figure(["报装申请", "applications"], f.applications),
    ...grouped("类别", f.by_category, categories),
    ...grouped("渠道", f.by_channel, CHANNELS),
    ...grouped("受理", f.by_basis, BASES),
    ...grouped("结果", f.by_outcome, { ...STAGES, open: ["在办", "under way"] }),
    figure(["按时通水率", "on time"], percent(f.on_time_percent)),
    figure(["总用时（天），中位 / 九成", "gross days, median / p90"], days(f.gross)),
    figure(["净用时（天），中位 / 九成", "net days, median / p90"], days(f.net)),
    ...grouped("中止", f.pauses, REASONS),
    figure(["上门服务（次）", "home visits made"], f.home_visits),
    figure(["容缺受理（户）", "with papers outstanding"], f.papers_outstanding),
    figure(["其中上门服务（户）", "of these, served at home"], f.papers_outstanding_at_home),
    ...f.channels.filter((each) => each.kept_percent !== null).map((each) =>
      figure([`容缺承诺兑现率：${named(CHANNELS, each.channel)[0]}`, `papers pledges kept, ${named(CHANNELS, each.channel)[1]}`], percent(each.kept_percent))),
    ...f.channels.map((each) =>
      figure([`跑腿 0 / 1 / 更多：${named(CHANNELS, each.channel)[0]}`, `trips, ${named(CHANNELS, each.channel)[1]}`], `${each.no_trip} / ${each.one_trip} / ${each.more_trips}`)),
    figure(["技术咨询", "consultations"], f.consultations),
    figure(["服务前置（户）", "served ahead of building"], f.preservices_given),
    figure(["被拒绝的违规收费", "charges refused"], f.charges_refused),
    figure(["被拒绝的再次补正", "further requests refused"], f.further_requests_refused),
  ]);
}

// The report's numbers are of one utility's reform: only the demo, which plays it, has them.
function showPublished(shown) {
  byId("beside").hidden = shown.published.length === 0;
  fill("published", shown.published.map((each) => row(heading(...pair([each.name_zh, each.name])), number(String(each.ours)), number(each.published ?? "—"))));
  fill("contradictions", shown.contradictions.map((each) => make("p", { class: "contradiction" }, `${each.text_zh}。 `, en(each.text))));
}

// ---- start

async function start() {
  try {
    const shown = await ask("/api/v1/disclosure");
    showPromise(shown);
    showDocuments(shown);
    fill("limits", shown.limits.map((each) => row(heading(each.name_zh, " ", en(each.name)), cell(...limit(each)), cell(...basis(each, shown.law)))));
    showLaw(shown);
    showFees(shown);
    showWorks(shown);
    showFigures(shown);
    showPublished(shown);
  } catch (error) {
    byId("failed").hidden = false;
    byId("failed").replaceChildren(`${error.problem?.detail_zh ?? "暂时无法读取，请稍后重试。"} `, en("The data cannot be read at the moment."));
  }
  document.body.dataset.state = "shown";
}

start();
