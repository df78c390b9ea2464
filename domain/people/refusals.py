"""What the rules of accounts refuse: a class for each refusal, with its words."""

from __future__ import annotations

from domain.kernel.refusals import Conflict, NotAcceptable, NotAllowed, NotFound


class BadActorId(NotAcceptable):
    """The id of an actor is not acceptable."""

    title_zh = "账号编号不符合要求"
    needed = "2 to 40 small letters, digits and single hyphens, a letter first, no six digits in a row"
    next_step = "choose an id that names the post or nobody, for example dispatcher-7"
    next_step_zh = "请使用小写字母、数字和连字符组成的编号，例如 dispatcher-7"

    def __init__(self) -> None:
        super().__init__(found="an id that has more than one way to write it, or may be somebody's number")


class PersonExists(Conflict):
    """The id is taken."""

    title_zh = "该账号编号已使用"
    needed = "an id that nobody has or had"
    next_step = "choose another id: one that stands in events is never given again"
    next_step_zh = "请另选编号；已使用过的编号不再分配"

    def __init__(self, actor: str, *, has_left: bool) -> None:
        super().__init__(found=f"{actor}, who {'left' if has_left else 'has an account'}")


class NoSuchPerson(NotFound):
    """There is no such account."""

    title_zh = "没有该账号"
    needed = "the id of an account"
    next_step = "look it up in the list of people"
    next_step_zh = "请在人员列表中查找"

    def __init__(self, actor: str) -> None:
        super().__init__(found=f"nobody with the id {actor}")


class PersonLeftAlready(Conflict):
    """The person left."""

    code = "person-left"
    title_zh = "该人员已离职"
    needed = "somebody who has an account"
    next_step = "let them join under a new id"
    next_step_zh = "如需恢复，请以新编号入职"

    def __init__(self, actor: str) -> None:
        super().__init__(found=f"{actor}, who left")


class NotYourOwnAccount(Conflict):
    """Nobody changes their own account."""

    code = "own-account"
    title_zh = "不能更改本人账号权限"
    needed = "somebody else who manages accounts"
    next_step = "have a colleague do it"
    next_step_zh = "请由另一位管理员办理"

    def __init__(self, actor: str) -> None:
        super().__init__(found=f"{actor} about themselves")


class PersonUnchanged(Conflict):
    """Nothing would change."""

    title_zh = "没有变化"
    needed = "other roles, crew, squad or districts"
    next_step = "nothing is to be done"
    next_step_zh = "权限与现状一致，无需操作"

    def __init__(self, actor: str) -> None:
        super().__init__(found=f"{actor} as they are already")


class NoRoles(NotAcceptable):
    """An account needs roles."""

    title_zh = "账号须有岗位"
    needed = "at least one role, each once"
    next_step = "name the roles"
    next_step_zh = "请填写岗位，且不得重复"

    def __init__(self) -> None:
        super().__init__(found="no role, or one twice")


class RoleWithoutAccount(NotAcceptable):
    """Nobody has an account in this role."""

    title_zh = "该身份不设账号"
    needed = "a role of staff or of a machine"
    next_step = "applicants and reporters are known by the code of their case"
    next_step_zh = "申请人和报修人凭案件查询码办理，无需账号"

    def __init__(self, role: str) -> None:
        super().__init__(found=f"role {role}")


class BadScopes(NotAcceptable):
    """The scopes are not acceptable."""

    title_zh = "系统授权范围不符合要求"
    needed = "powers, each once, of a machine's account"
    next_step = "take them from the page of powers; a person is narrowed by crew, squad or districts"
    next_step_zh = "请从权限表中选择；人员账号请以班组、专班或区域限定"

    def __init__(self, unknown: list[str]) -> None:
        super().__init__(found="powers that there are not" if unknown else "one twice, or scopes of a person")


class NotYourCrew(NotAllowed):
    """You belong to another crew."""

    title_zh = "只能办理本班组的事项"
    next_step = "have somebody of that crew, or a dispatcher, do it"
    next_step_zh = "请由该班组人员或调度员办理"

    def __init__(self, crew: str | None, own: str) -> None:
        super().__init__(found=f"{crew or 'no crew'} on it", needed=f"the crew {own}")


class NotYours(NotAllowed):
    """It is not yours, or there is no such case."""

    title_zh = "不在您的办理范围"
    next_step = "check the number; somebody whose work it is, or who is bound to nothing, can do it"
    next_step_zh = "请核对编号；该事项由负责的班组、专班或区域人员办理"

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(found=found, needed=f"what belongs to {needed}")


class ScopeNotGranted(NotAllowed):
    """The machine was not given this power."""

    title_zh = "该系统账号未获此项授权"
    next_step = "have somebody who manages accounts add the power to the machine's scopes"
    next_step_zh = "如确需使用，请账号管理员在该系统账号的授权范围中增加此项"

    def __init__(self, power: str, scopes: tuple[str, ...]) -> None:
        super().__init__(found=f"a request that needs {power}", needed=f"one of {', '.join(scopes)}")
