import pytest

from chatcore.model import Role


@pytest.mark.parametrize(("role", "manages"), [(Role.OWNER, True), (Role.ADMIN, True), (Role.MEMBER, False)])
def test_owners_and_admins_manage_members(role: Role, manages: bool) -> None:
    assert role.manages_members is manages
