// Chinese and English names of codes, for every page. A code that is not here is shown as it is.

export const COMMITMENTS = {
  "repair.arrival": ["到场", "arrival"],
  "repair.completion": ["修复", "completion"],
  "repair.assessment": ["定级", "assessment"],
  "repair.continuity": ["连续作业", "continuous work"],
  "connection.water_on": ["通水", "water on"],
  "connection.notice": ["一次性告知", "one-time notice"],
  "connection.papers": ["容缺补件", "papers outstanding"],
  "connection.trips": ["跑腿次数", "trips"],
  "usage.audit": ["异常核实", "look at abnormal use"],
  "usage.notice": ["上门告知", "user told of abnormal use"],
  "book.read": ["按时抄表", "book read"],
  "connection.silence": ["逾期视为受理", "silence admits"],
};
export const SEVERITIES = {
  small: ["小修", "small"], medium: ["中修", "medium"], major: ["大修", "major"], unassessed: ["未定级", "not assessed"],
};
export const CHANGES = {
  nearing: ["临近", "nearing"], lapsed: ["超时", "lapsed"], retracted: ["撤回", "retracted"], escalated: ["升级", "escalated"],
};
export const STATES = {
  running: ["运行中", "running"], met: ["已兑现", "met"], lapsed: ["超时", "lapsed"], cancelled: ["停止计时", "not running"], none: ["未开始", "not begun"],
};
export const REASONS = {
  "met-in-time": ["实际按时兑现", "it was met in time after all"],
  "end-moved": ["时限已变更", "its end was moved"],
  "no-longer-major": ["已改为非大修", "no major repair any longer"],
  "no-end-limit": ["大修不设终限，连续作业至通水", "major repair: no end limit"],
  "no-longer-owed": ["不再承诺", "no longer owed"],
  "notice-given": ["已一次性告知，待补正", "notice given, waiting for papers"],
  "papers-commitment-broken": ["容缺承诺未兑现", "papers commitment broken"],
  "papers-in": ["材料已补齐", "papers in"], "papers-upheld": ["承诺经核实已兑现", "commitment upheld"],
  "no-longer-needed": ["不再需要", "no longer needed"], "applied-twice": ["重复申请", "applied twice"],
  "other-source": ["另有水源", "other source"],
  "government-permit": ["行政许可", "government permit"], "applicant-payment": ["等待缴费", "waiting for payment"],
  "site-not-ready": ["现场不具备条件", "site not ready"], "applicant-defers": ["申请人要求延期", "applicant defers"],
  "force-majeure": ["不可抗力", "force majeure"],
};
export const ROLES = {
  "duty-dispatcher": ["值班调度", "duty dispatcher"], "crew-lead": ["班组长", "crew lead"],
  "second-crew": ["就近第二班组", "second crew"], manager: ["主管", "manager"], "case-owner": ["专办人员", "case owner"],
  "duty-manager": ["值班经理", "duty manager"], "deputy-director": ["分管副主任", "deputy director"],
  dispatcher: ["调度", "dispatcher"], crew: ["班组", "crew"], hotline: ["热线", "hotline"], counter: ["窗口", "counter"],
  inspector: ["验收员", "inspector"], cashier: ["收费员", "cashier"], applicant: ["申请人", "applicant"],
  platform: ["审批或支付平台", "platform"], reporter: ["报修人", "reporter"], "meter-reader": ["抄表员", "meter reader"],
  "price-authority": ["发改部门", "price authority"], "market-regulator": ["市场监管部门", "market regulator"],
  auditor: ["审计", "auditor"],
  public: ["公众", "public"], system: ["系统", "system"], squad: ["专班", "squad"], operator: ["运维", "operator"],
};
export const CHANNELS = {
  website: ["网站", "website"], wechat: ["微信", "WeChat"], hotline: ["热线", "hotline"], platform: ["平台", "platform"],
  home: ["上门", "at home"], counter: ["窗口", "counter"], "crew-phone": ["班组手机", "crew phone"], office: ["调度室", "office"], import: ["批量导入", "import"], system: ["系统", "system"],
};
export const FACTS = {
  FaultReported: ["报修", "fault reported"], ReportLinked: ["并入报修", "further report"], CrewDispatched: ["派单", "crew sent"],
  DispatchAcknowledged: ["接单", "acknowledged"], DispatchDeclined: ["拒单", "declined"], OutagePlanned: ["计划停水", "outage planned"], EmergencyOutageBegan: ["突发停水", "emergency outage"],
  OutageNoticeSent: ["停水通知", "outage notice sent"], OutageNoticeProven: ["通知送达", "notice proven"], OutageReported: ["报告主管部门", "authority told"],
  OutageStarted: ["开始停水", "outage began"], OutageExtended: ["延长停水", "outage extended"], EmergencyWaterProvided: ["应急供水", "emergency water"],
  OutageRestored: ["恢复供水", "outage over"], MassDeclared: ["宣布群发事件", "mass incident declared"], MassEnded: ["群发事件结束", "mass incident over"], CrewWithdrawn: ["调出班组", "crew taken away"], CrewArrived: ["到场", "crew on site"], SeverityAssessed: ["定级", "assessed"],
  UserSideFound: ["表后故障", "behind the meter"], PaidServiceConsented: ["同意有偿服务", "paid service agreed"], PaidServiceStarted: ["有偿服务开始", "paid service begun"],
  ReportUnlinked: ["拆分报修", "report unlinked"],
  SeverityReassessed: ["重新定级", "reassessed"], WorkLogged: ["作业记录", "work logged"], ShiftHandedOver: ["交接班", "shift handed over"],
  RepairCompleted: ["修复完成", "repair completed"], WaterRestored: ["恢复供水", "water restored"], CaseClosed: ["关单", "closed"],
  CaseRouted: ["分办", "routed"], OwnerReplaced: ["更换专办人员", "owner replaced"], ApplicantAppeared: ["申请人到场", "applicant appeared"],
  ApplicationWithdrawn: ["撤回申请", "withdrawn"], ApplicationRefused: ["不予受理", "refused"],
  DocumentSupplied: ["提交材料", "document supplied"], DocumentRejected: ["退回材料", "document rejected"],
  OneTimeNoticeGiven: ["一次性告知", "one-time notice"], FurtherRequestMade: ["再次补正", "further request"],
  FurtherRequestRefused: ["再次补正被拒", "further request refused"], PapersPromised: ["容缺承诺", "papers promised"],
  OutstandingDeclined: ["不选择容缺", "outstanding declined"], PapersCommitmentBroken: ["承诺未兑现", "commitment broken"],
  PapersCommitmentUpheld: ["承诺已兑现（更正）", "commitment upheld"], PapersCommitmentRepaired: ["信用修复", "commitment repaired"],
  CaseEnded: ["终止", "ended"], CaseSuspended: ["中止办理", "suspended"], CaseResumed: ["恢复办理", "resumed"],
  SurveyMade: ["勘察", "surveyed"], DesignApproved: ["设计审定", "design approved"], ApprovedOnSite: ["现场审批", "approved on site"],
  ConstructionStarted: ["开工", "construction started"], ConstructionCompleted: ["完工", "construction completed"],
  FinalInspectionMade: ["验收", "final inspection"], MeterInstalled: ["装表", "meter installed"],
  QuoteIssued: ["报价", "quoted"], ChargeRefused: ["违规收费被拒", "charge refused"], ContractSigned: ["签订合同", "contract signed"],
  PaymentReceived: ["缴费", "paid"], PaymentReversed: ["缴费冲正", "payment reversed"], RefundMade: ["退款", "refunded"],
  RefundReversed: ["退款冲正", "refund reversed"],
  HomeVisitBooked: ["预约上门", "visit booked"], HomeVisitReassigned: ["改派上门", "visit reassigned"],
  HomeVisitMade: ["上门服务", "visit made"], HomeVisitCancelled: ["取消上门", "visit cancelled"],
  DeliverableSent: ["送达文件", "deliverable sent"], DeliverableReceived: ["签收文件", "deliverable received"],
  PauseRequested: ["申请中止", "pause requested"], PauseApproved: ["批准中止", "pause approved"], PauseDeclined: ["不予中止", "pause declined"],
  PauseEnded: ["中止结束", "pause ended"], PauseRevoked: ["撤销中止", "pause revoked"],
  ConsultationGiven: ["技术咨询", "consultation"], PreServiceRequested: ["服务前置申请", "pre-service asked"], PreServiceGiven: ["服务前置", "pre-service given"],
  ApplicationReceived: ["收件", "application received"], ApplicationAdmitted: ["受理", "admitted"], WaterTurnedOn: ["通水", "water on"],
  WindowOpened: ["时限开始", "limit opened"], WindowMoved: ["时限变更", "limit moved"], WindowMet: ["承诺兑现", "promise met"],
  WindowNearing: ["时限临近", "limit nearing"], WindowLapsed: ["超时", "limit lapsed"], WindowRetracted: ["超时撤回", "lapse retracted"],
  WindowReopened: ["时限重启", "limit reopened"], WindowCancelled: ["时限取消", "limit cancelled"],
  MeterPutIntoService: ["水表启用", "meter in service"], MeterTakenOut: ["水表拆除", "meter taken out"], MeterReplaced: ["换表", "meter replaced"],
  ReadingRoundOpened: ["抄表任务", "reading round opened"], ReadingAudited: ["读数复核", "reading audited"],
  ReadingExcepted: ["抄表例外", "reading excepted"], ReadingRoundCompleted: ["抄表完成", "round complete"],
  UsageAnomalyFound: ["用量异常", "abnormal use found"], AnomalyRevised: ["异常更新", "judged anew"],
  AnomalyWithdrawn: ["异常消除", "no longer abnormal"], AnomalyConfirmed: ["异常核实", "confirmed"],
  AnomalyDismissed: ["异常排除", "dismissed"], UserNotified: ["告知用户", "user told"],
  LeakHelpOffered: ["提供查漏", "leak help offered"], LeakHelpStarted: ["开始查漏", "leak sought"],
  LeakHelpFinished: ["查漏完成", "search over"], UsageOutcomeRecorded: ["处理结果", "outcome"],
  ReadingHeld: ["暂缓计费", "reading held"], ReadingReleased: ["恢复计费", "reading released"],
};
export const TONES = {
  WindowLapsed: "bad", WindowNearing: "near", WindowRetracted: "good", WindowMet: "good",
  ChargeRefused: "bad", FurtherRequestRefused: "bad", PapersCommitmentBroken: "bad", ApplicationRefused: "bad", CaseEnded: "bad",
  PauseRequested: "near", PauseApproved: "near", CaseSuspended: "near", WaterTurnedOn: "good", PapersCommitmentRepaired: "good",
  WindowOpened: "promise", WindowMoved: "promise", WindowReopened: "promise", WindowCancelled: "promise",
};
export const FLAGS = {
  backdated: ["迟报", "backdated"], "after-close": ["关单后", "after close"],
  "not-the-dispatched-crew": ["非派单班组", "not the dispatched crew"], "before-first-report": ["早于首次报修", "before first report"],
  repeated: ["重复", "repeated"], "no-evidence": ["无到场证据", "no evidence"], "outside-geofence": ["围栏外", "outside geofence"],
  "backdated-after-lapse": ["超时后迟报", "backdated after a lapse"], "not-major": ["非大修", "not a major repair"],
  unlinked: ["由并单拆分", "was a wrong link"],
  "before-arrival": ["未到场先报", "before arrival"],
};
export const STAGES = {
  reported: ["已报修", "reported"], dispatched: ["已派单", "dispatched"], acknowledged: ["已接单", "acknowledged"],
  on_site: ["已到场", "on site"], assessed: ["已定级", "assessed"], completed: ["已修复", "completed"], restored: ["已通水", "restored"],
  closed: ["已关单", "closed"], received: ["已收件", "received"], admitted: ["已受理", "admitted"],
  notice_given: ["已一次性告知", "notice given"], surveyed: ["已勘察", "surveyed"], designed: ["已设计", "designed"], quoted: ["已报价", "quoted"],
  contracted: ["已签约", "contracted"], paid: ["已缴费", "paid"], under_construction: ["施工中", "under construction"],
  constructed: ["已完工", "constructed"], inspected: ["验收合格", "inspected"],
  partly_on: ["部分通水", "partly on"], water_on: ["已通水", "water on"],
  suspended: ["已中止", "suspended"], ended: ["已终止", "ended"], withdrawn: ["已撤回", "withdrawn"], refused: ["不予受理", "refused"],
  found: ["已发现", "found"], confirmed: ["已核实", "confirmed"], notified: ["已告知", "user told"],
  help_started: ["查漏中", "leak sought"], help_finished: ["查漏完成", "search over"], settled: ["已办结", "settled"],
  dismissed: ["已排除", "dismissed"],
  round_opened: ["待抄表", "to be read"], partly_read: ["抄表中", "being read"], read: ["已抄齐", "read"],
};
export const BASES = {
  papers: ["材料齐全", "papers complete"], "papers-outstanding": ["容缺受理", "papers outstanding"],
  silence: ["逾期视为受理", "by silence"], office: ["人工受理", "by the office"], "not-admitted": ["未受理", "not admitted"],
};
export const ACTIONS = {
  "give-notice": ["一次性告知", "give the notice"], "supply-document": ["补交材料", "supply papers"], "promise-papers": ["作出容缺承诺", "promise papers"],
  admit: ["受理", "admit"], survey: ["勘察", "survey"], design: ["设计", "design"], quote: ["报价", "quote"],
  "sign-contract": ["签订合同", "sign the contract"], pay: ["缴费", "pay"], construct: ["施工", "construct"], inspect: ["验收", "inspect"],
  "install-meter": ["装表", "install the meter"], "turn-water-on": ["通水", "turn water on"], "make-visit": ["上门", "make the visit"],
  "approve-pause": ["审批中止", "decide the pause"], "end-pause": ["结束中止", "end the pause"], resume: ["恢复办理", "resume"],
  "repair-commitment": ["信用修复", "repair the commitment"], refund: ["退款", "refund"], refuse: ["不予受理", "refuse"],
  "approve-on-site": ["现场审批", "approve on site"],
};
