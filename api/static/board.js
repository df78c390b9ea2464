// The board. Everything that comes from the server enters the page as text, never as markup.

import { DAY, EXACT, HOURS, SHORT, ask, byId, en, make, named, pair, setText, yuan } from "./page.js";
import { BASES, CHANGES, CHANNELS, COMMITMENTS, FACTS, FLAGS, OUTAGE_KINDS, REASONS, ROLES, SEVERITIES, STAGES, STATES, TONES } from "./names.js";

const API = "/api/v1";
const STREAM_ROWS = 120;
const WINDOW_ROWS = 80;
// Commitments that are a count and not a time: nothing of them runs out.
const COUNTED = new Set(["connection.trips"]);

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
  if (days) return `${days} 天 ${hours} 小时`;
  if (hours) return `${hours} 小时 ${String(minutes).padStart(2, "0")} 分`;
  return `${minutes} 分 ${String(total % 60).padStart(2, "0")} 秒`;
}

function tick() {
  if (clock.known) {
    const now = serviceNow();
    setText(byId("clock-time"), HOURS.format(now));
    setText(byId("clock-date"), `${DAY.format(now)} 北京时间`);
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
  setText(row.querySelector(".left b"), now > due ? `已过 ${span(now - due)}` : `剩 ${span(due - now)}`);
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
    byId("parts").replaceChildren(make("li", { data: { state: "down" } }, ...pair(words)));
    throw error;
  }
  setClock(health.service_time, health.clock_factor);
  const chip = byId("clock-factor");
  chip.hidden = health.clock_factor === 1;
  setText(chip, `加速时钟 ×${Number(health.clock_factor.toPrecision(4))} scaled`);
  const parts = [part("up", `存储 #${health.head_position}`, "store")];
  if (health.relay) {
    const behind = health.relay.lag > 0;
    parts.push(part(behind ? "behind" : "up", behind ? `转发滞后 ${health.relay.lag}` : "转发", behind ? `relay, ${health.relay.lag} behind` : "relay", health.relay.last_error));
  }
  if (health.readers.length) parts.push(readers(health.readers));
  for (const one of health.parts) {
    parts.push(part(one.up ? "up" : "down", `进程 ${one.name}`, one.up ? (one.alive > 1 ? `×${one.alive}` : "") : `${Math.round(one.beat_age_s)} s`));
  }
  byId("parts").replaceChildren(...parts);
}

// One mark for all of them: a row of ten would push the page about whenever one is a moment behind.
function readers(all) {
  const behind = all.filter((reader) => reader.lag);
  const names = (some) => some.map((reader) => (reader.lag ? `${reader.name} 滞后 ${reader.lag} behind` : reader.name)).join(", ");
  return behind.length
    ? part("behind", `读模型 ${behind.length}/${all.length} 滞后`, "behind", names(behind))
    : part("up", `读模型 ${all.length} 个`, "read models", names(all));
}

function part(state, zh, english, title) {
  return make("li", { data: { state }, title }, zh, en(english));
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
    return make("li", {}, make("span", {}, ...pair(name)), make("span", { class: "track" }, bar), make("b", {}, String(count)));
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
  byId("published-note").replaceChildren(
    `公布分项合计 ${categories} = ${connections.published_sum}，按渠道 ${channels} = ${connections.published_sum}；报道中的总数写作 ${connections.published_reported}。 `,
    en(`The published parts sum to ${connections.published_sum}; the report itself says ${connections.published_reported}.`),
  );
}

const sumOf = (tallies) => tallies.filter((each) => each.published !== null).map((each) => each.published).join("+");

function tally(each) {
  return make("tr", {},
    make("th", { scope: "row" }, ...pair([each.name_zh, each.name])),
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
  const top = list.scrollTop;
  change();
  list.scrollTop = top;
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

function windowRow(each, key) {
  const facts = [stageOf(each), kindOf(each), labels.districts[each.district]?.name_zh, each.crew].filter(Boolean).join(" · ");
  const promise = make("div", { class: "promise" }, ...pair(named(COMMITMENTS, each.commitment)),
    each.tentative ? make("span", { class: "tentative", title: "节假日安排尚未公布 the year's holidays are not out yet" }, "暂定 ", en("tentative")) : null);
  const row = make("button", { class: "window", type: "button", data: { opened: Date.parse(each.opened_at), due: Date.parse(each.due_at), case: each.case_id } },
    make("div", { class: "who" }, make("div", { class: "number" }, numberOf(each), " ", massOf(each)), make("div", { class: "what", title: facts }, facts)),
    make("div", { class: "track" }, promise, make("div", { class: "bar" }, make("i"))),
    make("div", { class: "left" }, make("b", {}, "—"), make("div", {}, "截止 ", SHORT.format(Date.parse(each.due_at)))));
  row.addEventListener("click", () => openCase(each.case_id));
  return make("li", { data: { key } }, row);
}

const numberOf = (each) => each.case_number ?? `${each.case_id.slice(0, 8)}…`;
const massOf = (each) => each.mass ? make("span", { class: "mass", title: each.mass }, "群发事件 ", en("mass incident")) : null;
const kindOf = (each) => labels.fault_kinds[each.kind] ?? OUTAGE_KINDS[each.kind]?.[0] ?? labels.applicant_categories[each.category] ?? each.kind ?? each.category;
const stageOf = (each) => STAGES[each.stage]?.[0];

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
  mark.replaceChildren(`● ${zh} `, en(english));
}

let refreshing = null;

function arrived(each) {
  const list = byId("stream");
  const atTop = list.scrollTop < 8;
  const before = list.scrollHeight;
  const row = breachRow(each);
  row.firstChild.classList.add("new");
  list.prepend(row);
  while (list.children.length > STREAM_ROWS) list.lastChild.remove();
  // Who reads further down keeps what they read under their eyes.
  if (!atTop) list.scrollTop += list.scrollHeight - before;
  refreshing ??= setTimeout(() => {
    refreshing = null;
    Promise.allSettled([showWindows(), showCounts()]);
  }, 400);
}

function breachRow(each) {
  const [promise, promiseEn] = named(COMMITMENTS, each.commitment);
  const due = each.due_at ? `，截止 ${SHORT.format(Date.parse(each.due_at))}` : "";
  // A count is exceeded, a time runs out.
  const over = COUNTED.has(each.commitment) ? "超次" : "超时";
  const changed = { nearing: "时限临近", lapsed: over, escalated: `${over}未接手` };
  const what = each.change === "retracted"
    ? [make("s", {}, `${promise}${over}`), ` ${named(REASONS, each.reason)[0]} `, en(named(REASONS, each.reason)[1])]
    : [`${promise}${changed[each.change]}${due} `, en(`${promiseEn}${each.change === "escalated" ? ", over and not in hand" : ""}${each.lapse > 1 ? `, lapse ${each.lapse}` : ""}`)];
  const act = each.notify.length
    ? make("div", { class: "act" }, "须处理 ", make("b", {}, each.notify.map((role) => named(ROLES, role)[0]).join("、")), " ", en(`to act: ${each.notify.map((role) => named(ROLES, role)[1] || role).join(", ")}`))
    : null;
  const [tag, tagEn] = named(CHANGES, each.change);
  const row = make("button", { class: "breach", type: "button", data: { change: each.change, case: each.case_id } },
    make("span", { class: "tag" }, tag, en(tagEn)),
    make("span", { class: "number" }, numberOf(each), " ", make("span", {}, kindOf(each) ?? ""), " ", massOf(each)),
    make("time", { datetime: each.recorded_at, title: `登记 recorded ${EXACT.format(Date.parse(each.recorded_at))}` }, SHORT.format(Date.parse(each.recorded_at))),
    make("div", { class: "text", title: each.rung }, ...what), act);
  row.addEventListener("click", () => openCase(each.case_id));
  return make("li", { data: { id: each.event_id, change: each.change } }, row);
}

// ---- one case

async function openCase(caseId) {
  const drawer = byId("drawer");
  byId("case-number").textContent = "…";
  byId("case-facts").replaceChildren();
  byId("case-windows").replaceChildren();
  byId("timeline").replaceChildren();
  if (!drawer.open) drawer.showModal();
  try {
    showCase(await ask(`${API}/cases/${encodeURIComponent(caseId)}`));
  } catch (error) {
    byId("case-number").textContent = error.problem?.title ?? "读取失败";
    byId("case-facts").textContent = error.problem?.detail_zh ?? "请稍后重试 try again later";
  }
}

function showCase(shown) {
  byId("case-number").textContent = shown.case_number;
  const district = labels.districts[shown.district]?.name_zh;
  const severity = shown.severity ? named(SEVERITIES, shown.severity)[0] : null;
  const points = shown.supply_points ? `用水点 ${shown.points_on.length}/${shown.supply_points}` : null;
  const reports = shown.reports > 1 ? `${shown.reports} 次报修` : null;
  const stage = named(STAGES, shown.stage);
  byId("case-facts").replaceChildren(
    [stage[0], kindOf(shown), severity, district, shown.crew, points, reports].filter(Boolean).join(" · "), " ", en(stage[1]));
  byId("case-windows").replaceChildren(...shown.windows.map(promiseRow));
  byId("timeline").replaceChildren(...shown.timeline.map(timelineRow));
}

function promiseRow(each) {
  const late = each.state === "met" && each.on_time === false ? "（迟）" : "";
  return make("div", { class: "promise-row" },
    make("b", {}, named(COMMITMENTS, each.commitment)[0]),
    make("span", {}, ...pair(named(STATES, each.state)), late),
    each.due_at ? make("span", {}, `截止 ${SHORT.format(Date.parse(each.due_at))}`) : null,
    each.tentative ? make("span", { class: "tentative" }, "暂定 ", en("tentative")) : null,
    each.lapses ? make("span", {}, `超时 ${each.lapses}`) : null,
    each.retracted ? make("span", {}, `撤回 ${each.retracted}`) : null,
    each.provisional_until ? make("span", { class: "tentative" }, `待补证据，至 ${SHORT.format(Date.parse(each.provisional_until))} `, en("awaits evidence")) : null,
    each.settles_at ? settling(Date.parse(each.settles_at)) : null,
    make("span", { class: "basis" }, en([each.standard, each.calendar].filter(Boolean).join(" · "))));
}

function settling(at) {
  return serviceNow() <= at
    ? make("span", { title: `至 ${EXACT.format(at)} 前，迟报的事实一人即可登记` }, `未定，至 ${SHORT.format(at)} `, en("open"))
    : make("span", { title: `自 ${EXACT.format(at)} 起，更改须由两人核实` }, "已定案 ", en("settled"));
}

function timelineRow(each) {
  const happened = Date.parse(each.happened_at);
  const recorded = Date.parse(each.recorded_at);
  const later = recorded - happened > 60000 ? make("span", { class: "late" }, `（迟 ${span(recorded - happened)}）`) : null;
  const basis = [each.standard, each.calendar].filter(Boolean).join(" · ");
  return make("li", { data: { tone: TONES[each.fact] ?? "fact" } },
    make("div", { class: "title" }, ...pair(named(FACTS, each.fact)), make("small", {}, `v${each.version} · #${each.position}`)),
    make("div", { class: "when" }, "发生 ", make("b", {}, EXACT.format(happened)), "　登记 ", EXACT.format(recorded), later),
    make("div", { class: "by" }, `${named(ROLES, each.role)[0]} ${each.actor} · ${named(CHANNELS, each.channel)[0]}`, basis ? ` · 依据 ${basis}` : ""),
    details(each.data));
}

function details(data) {
  const items = [];
  const add = (zh, value) => value !== undefined && value !== null && value !== "" && items.push(make("span", {}, make("i", {}, `${zh} `), String(value)));
  add("承诺", data.commitment && named(COMMITMENTS, data.commitment)[0]);
  add("截止", data.due_at && SHORT.format(Date.parse(data.due_at)));
  add("原截止", data.old_due_at && SHORT.format(Date.parse(data.old_due_at)));
  add("变更原因", data.cause);
  add("兑现", data.met_at && `${SHORT.format(Date.parse(data.met_at))}${data.on_time === false ? "（迟）" : ""}`);
  add(data.met_at ? "待补证据，暂计至" : "此前暂计兑现至", data.provisional_until && SHORT.format(Date.parse(data.provisional_until)));
  add("第几次超时", data.lapse);
  add("班组", data.crew);
  add("预计到场", data.expected_at && SHORT.format(Date.parse(data.expected_at)));
  add("等级", data.severity && named(SEVERITIES, data.severity)[0]);
  add("理由", data.reason && (REASONS[data.reason]?.[0] ?? data.reason));
  add("类型", labels.fault_kinds[data.kind] ?? data.kind);
  add("类别", labels.applicant_categories[data.category] ?? data.category);
  add("用水点", data.point ?? data.supply_points);
  add("专办人员", data.owner);
  const document = (code) => labels.documents?.[code] ?? code;
  add("材料", data.document ? document(data.document) : (data.papers ?? data.papers_collected)?.map(document).join("、"));
  add("待补", data.items?.map((item) => `${document(item.document)}（${labels.defects?.[item.defect] ?? item.defect}）`).join("、"));
  add("专班", labels.squads?.[data.squad] ?? data.squad);
  add("文件", labels.deliverables?.[data.deliverable] ?? data.deliverable);
  add("费用", data.lines?.map((line) => `${labels.fees?.[line.fee] ?? line.fee} ${yuan(line.amount_fen)}`).join("、"));
  add("拒收", data.charge && `${data.banned ?? data.charge} ${data.amount_fen ? yuan(data.amount_fen) : ""}`);
  add("受理依据", data.basis && BASES[data.basis]?.[0]);
  add("水表", data.meter && `${data.meter.number} DN${data.meter.dn_mm}`);
  const proof = data.evidence ?? {};
  add("距围栏", Number.isInteger(proof.distance_m) ? `${proof.inside_geofence ? "内" : "外"} ${proof.distance_m} 米 ±${proof.accuracy_m}` : null);
  add("照片", proof.photo_digest ? "有" : null);
  add("通知", data.notify?.map((role) => named(ROLES, role)[0]).join("、"));
  for (const flag of data.flags ?? []) items.push(make("span", { class: "flag" }, named(FLAGS, flag)[0], " ", en(named(FLAGS, flag)[1])));
  return items.length ? make("div", { class: "data" }, ...items) : null;
}

// ---- what is real

async function showDemo() {
  const demo = await ask(`${API}/demo`);
  if (!demo.running) return;
  const items = (texts) => texts.map((text) => make("li", {}, text.zh, en(text.en)));
  byId("demo-real").replaceChildren(...items(demo.real));
  byId("demo-simulated").replaceChildren(...items(demo.simulated));
  byId("demo").hidden = false;
}

// ---- start

async function start() {
  const drawer = byId("drawer");
  byId("close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
  byId("hide-nearing").addEventListener("click", (event) => {
    const hide = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(hide));
    document.querySelector(".stream").dataset.hide = hide ? "nearing" : "";
  });
  live("wait", "连接中", "connecting");
  try {
    labels = await ask(`${API}/labels`);
  } catch { /* codes are shown instead of names */ }
  await Promise.allSettled([showDemo(), showHealth(), showCounts(), showWindows()]);
  tick();
  document.body.dataset.state = "shown";
  setInterval(tick, 250);
  every(3000, showHealth);
  every(2000, showCounts);
  every(1500, showWindows);
  const asked = new URLSearchParams(location.search).get("case");
  if (asked) openCase(asked);
  const stream = () => openStream().catch(() => setTimeout(stream, 3000));
  stream();
}

start();
