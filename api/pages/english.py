"""English names of what the shipped standard and fee catalogue name in Chinese alone: their published bytes stay as
they are. A name that is not here, of a standard of somebody's own, is shown as it is published."""

from __future__ import annotations

from collections.abc import Mapping

from domain.kernel.facts import Name

ENGLISH: Mapping[str, str] = {
    # districts
    "镇溪街道": "Zhenxi Subdistrict",
    "峒河街道": "Donghe Subdistrict",
    "乾州街道": "Qianzhou Subdistrict",
    "吉凤街道": "Jifeng Subdistrict",
    "石家冲街道": "Shijiachong Subdistrict",
    "双塘街道": "Shuangtang Subdistrict",
    "矮寨镇": "Aizhai Town",
    "马颈坳镇": "Majing'ao Town",
    "河溪镇": "Hexi Town",
    "丹青镇": "Danqing Town",
    # kinds of fault
    "爆管": "burst pipe",
    "漏水": "leak",
    "停水": "no water",
    "水压不足": "low pressure",
    "水表故障": "meter fault",
    "阀门故障": "valve fault",
    "井盖或消火栓": "manhole cover or hydrant",
    "路面塌陷": "sunken road",
    "其他": "other",
    # applicants and their documents
    "商企": "business",
    "单位": "institution",
    "州工改系统": "prefecture's construction platform",
    "私人": "private person",
    "村组": "village group",
    "身份证明": "proof of identity",
    "房产或用地证明": "proof of the property or the land",
    "营业执照或法人证书": "business licence or certificate of the body",
    "设计图纸": "design drawings",
    "占道开挖、交通、绿化等行政许可": "permits for digging, traffic and green space",
    "居民生活用水": "residential",
    "非居民用水": "non-residential",
    "特种用水": "special use",
    "受理签约": "apply, sign and pay",
    "验收通水": "installation and water on",
    "方案": "plan",
    "预算": "budget",
    "图纸": "drawings",
    "合同": "contract",
    "发票": "invoice",
    # fees
    "管网水损费": "water lost in the network",
    "工程安装费": "installation works",
    "勘察设计费": "survey and design",
    "接水费": "connection fee",
    "增容费": "capacity fee",
    "报装费": "application fee",
    "开户费": "account opening fee",
    "开关闸费": "valve operation fee",
    "竣工核验费": "completion inspection fee",
    "竣工导线测量费": "completion survey fee",
    "管线探测费": "pipe location fee",
    "勾头费": "tie-in fee",
    "水钻工程费": "core drilling fee",
    "碰头费": "junction fee",
    "出图费": "drawing fee",
    "水表": "meter",
    "检定": "verification",
    # who does the work
    "上门服务一专班": "visiting squad 1",
    "上门服务二专班": "visiting squad 2",
    "上门服务三专班": "visiting squad 3",
    "管道抢修": "pipe repair",
    "阀门": "valves",
    "焊接": "welding",
    "开挖": "excavation",
    "检漏": "leak detection",
    "12345 政务服务便民热线": "12345 hotline",
}
"""Chinese name as it is published → English name."""


def in_english(zh: str) -> str:
    """The English name; the published one where there is none."""
    return ENGLISH.get(zh, zh)


def in_both(zh: str, code: str) -> Name:
    """The name of a code of the standard; in English the code in words where nothing better is known."""
    return Name(zh, ENGLISH.get(zh) or code.replace("-", " "))
