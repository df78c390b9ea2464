// The board. Everything that comes from the server enters the page as text, never as markup.

import { DAY, EXACT, HOURS, SHORT, ask, byId, make, named, setText, yuan } from "./page.js";
import { BASES, CHANGES, CHANNELS, COMMITMENTS, FACTS, FLAGS, OUTAGE_KINDS, PAPERS, REASONS, ROLES, SEVERITIES, STAGES, STATES, TONES } from "./names.js";

const API = "/api/v1";
const STREAM_ROWS = 120;
const WINDOW_ROWS = 80;
// Commitments that are a count and not a time: nothing of them runs out.
const COUNTED = new Set(["connection.trips"]);

// The page says in which language; the names of codes come in both.
const ENGLISH = document.documentElement.lang === "en";
const say = (zh, english) => (ENGLISH ? english : zh);
const word = ([zh, english]) => (ENGLISH && english ? english : zh);
const DATE_SHOWN = ENGLISH ? new Intl.DateTimeFormat("en-GB", { timeZone: "Asia/Shanghai", weekday: "short", day: "numeric", month: "short", year: "numeric" }) : DAY;
const nameOf = (table, code) => word(named(table, code));

// The standard names its codes in Chinese; the page brings the English names that are known of them.
function inEnglish(tables) {
  if (!ENGLISH) return tables;
  const known = JSON.parse(byId("board-head").dataset.english);
  const called = (code, each) => (typeof each === "string" ? known[each] ?? code.replaceAll("-", " ") : { ...each, name_zh: known[each.name_zh] ?? each.name_zh });
  const isTable = (given) => typeof given === "object" && !Array.isArray(given);
  const each = (table) => Object.fromEntries(Object.entries(table).map(([code, one]) => [code, called(code, one)]));
  return Object.fromEntries(Object.entries(tables).map(([name, given]) => [name, isTable(given) ? each(given) : given]));
}

let labels = { fault_kinds: {}, districts: {}, applicant_categories: {} };
const clock = { service: Date.now(), local: performance.now(), factor: 1, known: false };

// ---- time

const serviceNow = () => clock.service + (performance.now() - clock.local) * clock.factor;

function setClock(text, factor) {
  clock.service = Date.parse(text);
  clock.local = performance.now();
  clock.factor = factor;
  clock.known = true;
}

function span(milliseconds) {
  const total = Math.max(0, Math.floor(Math.abs(milliseconds) / 1000));
  const days = Math.floor(total / 86400);
  const hours = Math.floor(total / 3600) % 24;
  const minutes = Math.floor(total / 60) % 60;
  const [minute, second] = [String(minutes).padStart(2, "0"), String(total % 60).padStart(2, "0")];
  if (days) return say(`${days} 天 ${hours} 小时`, `${days} d ${hours} h`);
  if (hours) return say(`${hours} 小时 ${minute} 分`, `${hours} h ${minute} min`);
  return say(`${minutes} 分 ${second} 秒`, `${minutes} min ${second} s`);
}

function tick() {
  if (clock.known) {
    const now = serviceNow();
    setText(byId("clock-time"), HOURS.format(now));
    setText(byId("clock-date"), `${DATE_SHOWN.format(now)} ${say("北京时间", "in China")}`);
    for (const row of byId("windows").children) countDown(row.firstChild, now);
  }
}

function countDown(row, now) {
  const opened = Number(row.dataset.opened);
  const due = Number(row.dataset.due);
  const used = Math.min(1, Math.max(0, (now - opened) / Math.max(1, due - opened)));
  row.querySelector(".bar i").style.transform = `scaleX(${used.toFixed(4)})`;
  const near = now > due ? "over" : used >= 0.75 ? "close" : used >= 0.5 ? "half" : "far";
  if (row.dataset.near !== near) row.dataset.near = near;
  setText(row.querySelector(".left b"), now > due ? say(`已过 ${span(now - due)}`, `${span(now - due)} over`) : say(`剩 ${span(due - now)}`, `${span(due - now)} left`));
}

// ---- asking again

function every(milliseconds, work) {
  const round = async () => {
    if (!document.hidden) await work().catch(() => {});
    setTimeout(round, milliseconds);
  };
  setTimeout(round, milliseconds);
}

// ---- health

async function showHealth() {
  let health;
  try {
    health = await ask("/healthz");
  } catch (error) {
    const words = !error.problem
      ? ["接口无应答", "no answer"]
      : error.problem.code === "store-cannot-write"
        ? ["存储无法写入", "store cannot write"]
        : ["存储不可用", "store unavailable"];
    byId("parts").replaceChildren(make("li", { data: { state: "down" } }, word(words)));
    throw error;
  }
  setClock(health.service_time, health.clock_factor);
  const chip = byId("clock-factor");
  chip.hidden = health.clock_factor === 1;
  setText(chip, `${say("加速时钟", "scaled clock")} ×${Number(health.clock_factor.toPrecision(4))}`);
  const parts = [part("up", `存储 #${health.head_position}`, `store #${health.head_position}`)];
  if (health.relay) {
    const behind = health.relay.lag > 0;
    parts.push(part(behind ? "behind" : "up", behind ? `转发滞后 ${health.relay.lag}` : "转发", behind ? `relay, ${health.relay.lag} behind` : "relay", health.relay.last_error));
  }
  if (health.readers.length) parts.push(readers(health.readers));
  for (const one of health.parts) {
    parts.push(part(one.up ? "up" : "down", `进程 ${one.name}${partState(one)}`, `process ${one.name}${partState(one)}`));
  }
  byId("parts").replaceChildren(...parts);
  showLag(Math.max(0, ...health.readers.map((reader) => reader.lag)), health.relay?.lag ?? 0);
}

const partState = (one) => (one.up ? (one.alive > 1 ? ` ×${one.alive}` : "") : ` ${Math.round(one.beat_age_s)} s`);

// One mark for all of them: a row of ten would push the page about whenever one is a moment behind.
function readers(all) {
  const behind = all.filter((reader) => reader.lag);
  const names = (some) => some.map((reader) => (reader.lag ? say(`${reader.name} 滞后 ${reader.lag}`, `${reader.name} ${reader.lag} behind`) : reader.name)).join(", ");
  return behind.length
    ? part("behind", `读模型 ${behind.length}/${all.length} 滞后`, `${behind.length}/${all.length} read models behind`, names(behind))
    : part("up", `读模型 ${all.length} 个`, `${all.length} read models`, names(all));
}

function part(state, zh, english, title) {
  return make("li", { data: { state }, title }, say(zh, english || zh));
}

// ---- counts

async function showCounts() {
  const counts = await ask(`${API}/counts`);
  const { repairs, connections } = counts;
  setText(byId("n-open"), String(repairs.open));
  setText(byId("n-closed"), String(repairs.closed));
  setText(byId("n-lapses"), String(counts.lapses_standing));
  setText(byId("n-retracted"), String(counts.lapses_retracted));
  setText(byId("n-windows"), String(counts.windows.filter((each) => !COUNTED.has(each.commitment)).reduce((sum, each) => sum + each.running, 0)));
  byId("severities").replaceChildren(...Object.entries(SEVERITIES).map(([code, name]) => {
    const count = repairs.by_severity[code] ?? 0;
    const bar = make("i");
    bar.style.transform = `scaleX(${repairs.total ? count / repairs.total : 0})`;
    return make("li", {}, make("span", {}, word(name)), make("span", { class: "track" }, bar), make("b", {}, String(count)));
  }));
  byId("by-category").replaceChildren(...connections.by_category.map(tally));
  byId("by-channel").replaceChildren(...connections.by_channel.map(tally));
  setText(byId("n-applications"), String(connections.total));
  showPublished(connections);
}

// The report's numbers are of one utility's reform: only the demo, which plays it, has them.
function showPublished(connections) {
  const has = connections.published_sum !== null;
  for (const element of document.querySelectorAll(".published")) element.hidden = !has;
  if (!has) return;
  setText(byId("n-published"), String(connections.published_sum));
  const categories = sumOf(connections.by_category);
  const channels = sumOf(connections.by_channel);
  setText(byId("published-note"), say(
    `公布分项合计 ${categories} = ${connections.published_sum}，按渠道 ${channels} = ${connections.published_sum}；报道中的总数写作 ${connections.published_reported}。`,
    `The published parts sum to ${connections.published_sum}; the report itself says ${connections.published_reported}.`));
}

const sumOf = (tallies) => tallies.filter((each) => each.published !== null).map((each) => each.published).join("+");

function tally(each) {
  return make("tr", {},
    make("th", { scope: "row" }, word([each.name_zh, each.name])),
    make("td", {}, String(each.count)),
    make("td", { class: "published" }, each.published === null ? "—" : String(each.published)));
}

// ---- windows

async function showWindows() {
  const answer = await ask(`${API}/windows?running=true&limit=${WINDOW_ROWS}`);
  const list = byId("windows");
  const known = new Map([...list.children].map((row) => [row.dataset.key, row]));
  const rows = answer.windows.filter((each) => each.due_at !== null).map((each) => {
    const key = `${each.case_id} ${each.commitment} ${each.number} ${each.stage} ${each.crew}`;
    return known.get(key) ?? windowRow(each, key);
  });
  const same = rows.length === list.children.length && rows.every((row, place) => list.children[place] === row);
  if (!same) keepFocus(list, () => list.replaceChildren(...rows));
  tick();
}

function keepFocus(list, change) {
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const top = list.parentElement.scrollTop;
  change();
  list.parentElement.scrollTop = top;
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

function windowRow(each, key) {
  const facts = [stageOf(each), kindOf(each), labels.districts[each.district]?.name_zh, each.crew].filter(Boolean).join(" · ");
  const promise = make("div", { class: "promise" }, nameOf(COMMITMENTS, each.commitment),
    each.tentative ? make("span", { class: "tentative", title: say("节假日安排尚未公布", "the year's holidays are not out yet") }, say("暂定", "tentative")) : null);
  const row = make("a", { class: "window", href: pageOf(each), data: { opened: Date.parse(each.opened_at), due: Date.parse(each.due_at), case: each.case_id } },
    make("div", { class: "who" }, make("div", { class: "number" }, numberOf(each), " ", massOf(each)), make("div", { class: "what", title: facts }, facts)),
    make("div", { class: "track" }, promise, make("div", { class: "bar" }, make("i"))),
    make("div", { class: "left" }, make("b", {}, "—"), make("div", {}, say("截止 ", "due "), SHORT.format(Date.parse(each.due_at)))));
  opensCase(row, each.case_id);
  return make("li", { data: { key } }, row);
}

const pageOf = (each) => `/cases/${encodeURIComponent(each.case_id)}`;

// A row leads to the page of its case; a plain click opens the case beside the board.
function opensCase(row, caseId) {
  row.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openCase(caseId);
  });
}

const numberOf = (each) => each.case_number ?? `${each.case_id.slice(0, 8)}…`;
const massOf = (each) => each.mass ? make("span", { class: "mass", title: each.mass }, say("群发事件", "mass incident")) : null;
const kindOf = (each) => faultKind(each.kind) ?? (OUTAGE_KINDS[each.kind] && word(OUTAGE_KINDS[each.kind])) ?? labels.applicant_categories[each.category] ?? each.kind ?? each.category;
const faultKind = (code) => labels.fault_kinds[code];
const stageOf = (each) => STAGES[each.stage] && word(STAGES[each.stage]);

// ---- the breach stream

async function openStream() {
  const page = await ask(`${API}/breaches?limit=${STREAM_ROWS}`);
  byId("stream").replaceChildren(...page.breaches.reverse().map((each) => breachRow(each)));
  listen(page.next);
}

function listen(place) {
  const source = new EventSource(`${API}/breaches/stream?after=${encodeURIComponent(place)}`);
  let last = place;
  source.addEventListener("open", () => live("on", "实时", "live"));
  source.addEventListener("error", () => {
    live("wait", "重连中", "reconnecting");
    // The browser resumes by itself after a break, but gives up after an answer that is no stream.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(last), 3000);
  });
  for (const change of Object.keys(CHANGES)) {
    source.addEventListener(change, (message) => {
      last = message.lastEventId;
      arrived(JSON.parse(message.data));
    });
  }
}

function live(state, zh, english) {
  const mark = byId("live");
  mark.dataset.state = state;
  mark.replaceChildren(`● ${say(zh, english)}`);
}

let refreshing = null;

function arrived(each) {
  const list = byId("stream");
  const scroller = list.parentElement;
  const atTop = scroller.scrollTop < 8;
  const before = scroller.scrollHeight;
  const row = breachRow(each);
  row.firstChild.classList.add("new");
  list.prepend(row);
  while (list.children.length > STREAM_ROWS) list.lastChild.remove();
  // Who reads further down keeps what they read under their eyes.
  if (!atTop) scroller.scrollTop += scroller.scrollHeight - before;
  if (each.change === "lapsed") beep();
  refreshing ??= setTimeout(() => {
    refreshing = null;
    Promise.allSettled([showWindows(), showCounts()]);
  }, 400);
}

function breachRow(each) {
  const promise = nameOf(COMMITMENTS, each.commitment);
  const due = each.due_at ? say(`，截止 ${SHORT.format(Date.parse(each.due_at))}`, `, due ${SHORT.format(Date.parse(each.due_at))}`) : "";
  // A count is exceeded, a time runs out.
  const over = COUNTED.has(each.commitment) ? say("超次", " exceeded") : say("超时", " lapsed");
  const changed = { nearing: say("时限临近", " nears its end"), lapsed: over, escalated: `${over}${say("未接手", ", not in hand")}` };
  const again = ENGLISH && each.lapse > 1 ? `, lapse ${each.lapse}` : "";
  const what = each.change === "retracted"
    ? [make("s", {}, `${promise}${over}`), ` ${nameOf(REASONS, each.reason)}`]
    : [`${promise}${changed[each.change]}${due}${again}`];
  const act = each.notify.length
    ? make("div", { class: "act" }, say("须处理 ", "to act: "), make("b", {}, each.notify.map((role) => nameOf(ROLES, role)).join(say("、", ", "))))
    : null;
  const row = make("a", { class: "breach", href: pageOf(each), data: { change: each.change, case: each.case_id } },
    make("span", { class: "tag" }, nameOf(CHANGES, each.change)),
    make("span", { class: "number" }, numberOf(each), " ", make("span", {}, kindOf(each) ?? ""), " ", massOf(each)),
    make("time", { datetime: each.recorded_at, title: `${say("登记", "recorded")} ${EXACT.format(Date.parse(each.recorded_at))}` }, SHORT.format(Date.parse(each.recorded_at))),
    make("div", { class: "text", title: each.rung }, ...what), act);
  opensCase(row, each.case_id);
  return make("li", { data: { id: each.event_id, change: each.change } }, row);
}

// ---- one case

// The address names the case that is open, so that a reload or a copied address shows it again.
function addressOf(caseId) {
  const wanted = new URLSearchParams(location.search);
  if (caseId) wanted.set("case", caseId);
  else wanted.delete("case");
  history.replaceState(null, "", wanted.size ? `?${wanted}` : location.pathname);
}

async function openCase(caseId) {
  const drawer = byId("drawer");
  byId("case-number").textContent = "…";
  byId("case-facts").replaceChildren();
  byId("case-windows").replaceChildren();
  byId("timeline").replaceChildren();
  byId("case-page").href = pageOf({ case_id: caseId });
  if (!drawer.open) drawer.showModal();
  addressOf(caseId);
  try {
    showCase(await ask(`${API}/cases/${encodeURIComponent(caseId)}`));
  } catch (error) {
    byId("case-number").textContent = say(error.problem?.detail_zh, error.problem?.title) ?? say("读取失败", "it cannot be read");
    byId("case-facts").textContent = say("请稍后重试", "try again later");
  }
}

function showCase(shown) {
  byId("case-number").textContent = shown.case_number;
  const district = labels.districts[shown.district]?.name_zh;
  const severity = shown.severity ? nameOf(SEVERITIES, shown.severity) : null;
  const points = shown.supply_points ? `${say("用水点", "supply points")} ${shown.points_on.length}/${shown.supply_points}` : null;
  const reports = shown.reports > 1 ? say(`${shown.reports} 次报修`, `${shown.reports} reports`) : null;
  const stage = nameOf(STAGES, shown.stage);
  byId("case-facts").replaceChildren(
    [stage, kindOf(shown), severity, district, shown.crew, points, reports].filter(Boolean).join(" · "));
  byId("case-windows").replaceChildren(...shown.windows.map(promiseRow));
  byId("timeline").replaceChildren(...shown.timeline.map(timelineRow));
}

function promiseRow(each) {
  const late = each.state === "met" && each.on_time === false ? say("（迟）", " (late)") : "";
  return make("div", { class: "promise-row" },
    make("a", { href: `${byId("case-page").getAttribute("href")}/promises/${each.commitment}` }, nameOf(COMMITMENTS, each.commitment)),
    make("span", {}, nameOf(STATES, each.state), late),
    each.due_at ? make("span", {}, say("截止 ", "due "), SHORT.format(Date.parse(each.due_at))) : null,
    each.tentative ? make("span", { class: "tentative" }, say("暂定", "tentative")) : null,
    each.lapses ? make("span", {}, `${say("超时", "lapses")} ${each.lapses}`) : null,
    each.retracted ? make("span", {}, `${say("撤回", "retracted")} ${each.retracted}`) : null,
    each.provisional_until ? make("span", { class: "tentative" }, `${say("待补证据，至", "awaits evidence until")} ${SHORT.format(Date.parse(each.provisional_until))}`) : null,
    each.settles_at ? settling(Date.parse(each.settles_at)) : null,
    make("span", { class: "basis" }, [each.standard, each.calendar].filter(Boolean).join(" · ")));
}

function settling(at) {
  return serviceNow() <= at
    ? make("span", { title: say(`至 ${EXACT.format(at)} 前，迟报的事实一人即可登记`, `until ${EXACT.format(at)} one person may record a late fact`) }, say(`未定，至 ${SHORT.format(at)}`, `open until ${SHORT.format(at)}`))
    : make("span", { title: say(`自 ${EXACT.format(at)} 起，更改须由两人核实`, `since ${EXACT.format(at)} a change needs two persons`) }, say("已定案", "settled"));
}

function timelineRow(each) {
  const happened = Date.parse(each.happened_at);
  const recorded = Date.parse(each.recorded_at);
  const later = recorded - happened > 60000 ? make("span", { class: "late" }, say(`（迟 ${span(recorded - happened)}）`, ` (${span(recorded - happened)} late)`)) : null;
  const basis = [each.standard, each.calendar].filter(Boolean).join(" · ");
  return make("li", { data: { tone: TONES[each.fact] ?? "fact" } },
    make("div", { class: "title" }, nameOf(FACTS, each.fact), make("small", {}, `v${each.version} · #${each.position}`)),
    make("div", { class: "when" }, say("发生 ", "happened "), make("b", {}, EXACT.format(happened)), say("　登记 ", ", recorded "), EXACT.format(recorded), later),
    make("div", { class: "by" }, `${nameOf(ROLES, each.role)} ${each.actor} · ${nameOf(CHANNELS, each.channel)}`, basis ? ` · ${say("依据", "by")} ${basis}` : ""),
    details(each.data));
}

function details(data) {
  const items = [];
  const add = (zh, english, value) => value !== undefined && value !== null && value !== "" && items.push(make("span", {}, make("i", {}, `${say(zh, english)} `), String(value)));
  const list = say("、", ", ");
  const when = (value) => value && SHORT.format(Date.parse(value));
  add("承诺", "promise", data.commitment && nameOf(COMMITMENTS, data.commitment));
  add("截止", "due", when(data.due_at));
  add("原截止", "due before", when(data.old_due_at));
  add("变更原因", "cause", data.cause && nameOf(REASONS, data.cause));
  add("评分", "score", data.score);
  add("兑现", "met", data.met_at && `${when(data.met_at)}${data.on_time === false ? say("（迟）", " (late)") : ""}`);
  add(...(data.met_at ? ["待补证据，暂计至", "evidence awaited until"] : ["此前暂计兑现至", "had counted as met until"]), when(data.provisional_until));
  add("第几次超时", "lapse", data.lapse);
  add("班组", "crew", data.crew);
  add("预计到场", "expected", when(data.expected_at));
  add("等级", "class", data.severity && nameOf(SEVERITIES, data.severity));
  add("理由", "reason", data.reason && nameOf(REASONS, data.reason));
  add("类型", "kind", labels.fault_kinds[data.kind] ?? data.kind);
  add("类别", "category", labels.applicant_categories[data.category] ?? data.category);
  add("用水点", "supply point", data.point ?? data.supply_points);
  add("专办人员", "case owner", data.owner);
  const document = (code) => labels.documents?.[code] ?? code;
  add("材料", "papers", data.document ? document(data.document) : (data.papers ?? data.papers_collected)?.map(document).join(list));
  add("待补", "to follow", data.items?.map((item) => `${document(item.document)} (${labels.defects?.[item.defect] ?? item.defect})`).join(list));
  add("专班", "squad", labels.squads?.[data.squad] ?? data.squad);
  add("文件", "deliverable", labels.deliverables?.[data.deliverable] ?? data.deliverable);
  add("文书", "paper", data.paper && nameOf(PAPERS, data.paper));
  add("发送方式", "sent by", data.paper && data.way);
  add("费用", "fees", data.lines?.map((line) => `${labels.fees?.[line.fee] ?? line.fee} ${yuan(line.amount_fen)}`).join(list));
  add("拒收", "refused", data.charge && `${data.banned ?? data.charge} ${data.amount_fen ? yuan(data.amount_fen) : ""}`);
  add("受理依据", "admitted", data.basis && BASES[data.basis] && word(BASES[data.basis]));
  add("水表", "meter", data.meter && `${data.meter.number} DN${data.meter.dn_mm}`);
  const proof = data.evidence ?? {};
  add("距围栏", "distance", Number.isInteger(proof.distance_m) ? say(`${proof.inside_geofence ? "内" : "外"} ${proof.distance_m} 米 ±${proof.accuracy_m}`, `${proof.inside_geofence ? "inside" : "outside"} ${proof.distance_m} m ±${proof.accuracy_m}`) : null);
  add("照片", "photo", proof.photo_digest ? say("有", "yes") : null);
  add("通知", "told", data.notify?.map((role) => nameOf(ROLES, role)).join(list));
  for (const flag of data.flags ?? []) items.push(make("span", { class: "flag" }, nameOf(FLAGS, flag)));
  return items.length ? make("div", { class: "data" }, ...items) : null;
}

// ---- lapses by the hour

const HOUR = 3_600_000;
const HOURS_SHOWN = 24;
const TREND_ROWS = 500;
const SVG = "http://www.w3.org/2000/svg";

async function showTrend() {
  const { breaches } = await ask(`${API}/breaches?limit=${TREND_ROWS}`);
  const now = serviceNow();
  const counts = new Array(HOURS_SHOWN).fill(0);
  for (const each of breaches) {
    const ago = Math.floor((now - Date.parse(each.recorded_at)) / HOUR);
    if (each.change === "lapsed" && ago >= 0 && ago < HOURS_SHOWN) counts[HOURS_SHOWN - 1 - ago] += 1;
  }
  bars(byId("trend"), counts);
  const sum = counts.reduce((all, count) => all + count, 0);
  // The stream's last rows may not reach back a whole day: then it is said from when on they count.
  const first = breaches.length === TREND_ROWS ? Math.min(...breaches.map((each) => Date.parse(each.recorded_at))) : null;
  const since = first !== null && first > now - HOURS_SHOWN * HOUR ? say(`（自 ${SHORT.format(first)} 起）`, ` (since ${SHORT.format(first)})`) : "";
  setText(byId("trend-words"), say(`共 ${sum} 次，最多一小时 ${Math.max(...counts)} 次${since}`, `${sum} in all, at most ${Math.max(...counts)} in an hour${since}`));
  showLateness(breaches.filter((each) => each.change === "lapsed" && each.due_at), now);
}

// From the end of a limit to its lapse on record. The median says how fast the watch is: a single lapse may stand on a fact
// that somebody told days later.
function showLateness(lapses, now) {
  const byHour = Array.from({ length: HOURS_SHOWN }, () => []);
  for (const each of lapses) {
    const ago = Math.floor((now - Date.parse(each.recorded_at)) / HOUR);
    if (ago >= 0 && ago < HOURS_SHOWN) byHour[HOURS_SHOWN - 1 - ago].push(Math.max(0, Date.parse(each.recorded_at) - Date.parse(each.due_at)));
  }
  bars(byId("lateness"), byHour.map(median));
  const all = byHour.flat();
  setText(byId("lateness-words"), all.length
    ? say(`中位数 ${seconds(median(all))}，最长 ${seconds(Math.max(...all))}`, `median ${seconds(median(all))}, at most ${seconds(Math.max(...all))}`)
    : say("24 小时内没有超时", "no lapse in 24 hours"));
}

function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted.length ? sorted[Math.floor((sorted.length - 1) / 2)] : 0;
}

const seconds = (milliseconds) => (milliseconds < 60_000 ? say(`${(milliseconds / 1000).toFixed(1)} 秒`, `${(milliseconds / 1000).toFixed(1)} s`) : span(milliseconds));

// How far the readers and the relay are behind, since the page was opened: nobody keeps it for longer than that.
const LAGS_SHOWN = 100;
const lags = [];

function showLag(ofReaders, ofRelay) {
  lags.push(Math.max(ofReaders, ofRelay));
  if (lags.length > LAGS_SHOWN) lags.shift();
  bars(byId("lag"), [...new Array(LAGS_SHOWN - lags.length).fill(0), ...lags]);
  setText(byId("lag-words"), say(`现在：读模型 ${ofReaders}、转发 ${ofRelay}；最多 ${Math.max(...lags)}`, `now: readers ${ofReaders}, relay ${ofRelay}; at most ${Math.max(...lags)}`));
}

// Bars of one width, the highest as high as the picture.
function bars(picture, values) {
  const most = Math.max(1, ...values);
  const share = 100 / values.length;
  picture.replaceChildren(...values.map((value, place) => {
    const bar = document.createElementNS(SVG, "rect");
    const height = Math.max(value ? 3 : 1, Math.round((value / most) * 54));
    for (const [name, given] of Object.entries({ x: `${share * (place + 0.1)}%`, width: `${share * 0.8}%`, y: 56 - height, height })) bar.setAttribute(name, given);
    if (!value) bar.setAttribute("class", "none");
    return bar;
  }));
}

// ---- a sound, and the whole screen

let audio = null;

// Switched on by a press alone: a browser lets no page make a sound before, and nobody wants one unasked.
function switchSound(button) {
  const on = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(on));
  if (on) audio ??= new AudioContext();
  if (on) beep();
}

function beep() {
  if (byId("sound").getAttribute("aria-pressed") !== "true" || audio === null) return;
  const [tone, loudness] = [audio.createOscillator(), audio.createGain()];
  tone.frequency.value = 880;
  loudness.gain.setValueAtTime(0.2, audio.currentTime);
  loudness.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
  tone.connect(loudness).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + 0.5);
}

async function switchWall() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else await document.documentElement.requestFullscreen();
}

// ---- what is real

async function showDemo() {
  const demo = await ask(`${API}/demo`);
  if (!demo.running) return;
  const items = (texts) => texts.map((text) => make("li", {}, say(text.zh, text.en)));
  byId("demo-real").replaceChildren(...items(demo.real));
  byId("demo-simulated").replaceChildren(...items(demo.simulated));
  byId("demo").hidden = false;
}

// ---- start

async function start() {
  const drawer = byId("drawer");
  byId("close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
  drawer.addEventListener("close", () => addressOf(null));
  byId("sound").addEventListener("click", (event) => switchSound(event.currentTarget));
  byId("wall").addEventListener("click", () => switchWall().catch(() => {}));
  document.addEventListener("fullscreenchange", () => byId("wall").setAttribute("aria-pressed", String(document.fullscreenElement !== null)));
  byId("hide-nearing").addEventListener("click", (event) => {
    const hide = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(hide));
    document.querySelector(".stream").dataset.hide = hide ? "nearing" : "";
  });
  live("wait", "连接中", "connecting");
  try {
    labels = inEnglish(await ask(`${API}/labels`));
  } catch { /* codes are shown instead of names */ }
  await Promise.allSettled([showDemo(), showHealth(), showCounts(), showWindows()]);
  await showTrend().catch(() => {});
  tick();
  document.body.dataset.state = "shown";
  setInterval(tick, 250);
  every(3000, showHealth);
  every(2000, showCounts);
  every(1500, showWindows);
  every(30000, showTrend);
  const asked = new URLSearchParams(location.search).get("case");
  if (asked) openCase(asked);
  const stream = () => openStream().catch(() => setTimeout(stream, 3000));
  stream();
}

start();
