"""Refusals that only identity knows."""

from __future__ import annotations

from server.domain.errors import InvalidField, NowServingError, Unavailable


class SignInLocked(NowServingError):
    """Too many wrong passwords: try again in {retry_after} s."""


class SignInBusy(Unavailable):
    """Too many people are signing in at this moment. Try again in {retry_after} s."""


class UserNameNotVisible(InvalidField):
    """A user name has 1 to 80 characters, all of them visible. Remove the others and type the name again."""


class UserNameMixesScripts(InvalidField):
    """The user name mixes letters of several scripts, such as Latin and Cyrillic. Type all letters in one script."""


class PasswordLengthWrong(InvalidField):
    """A password has {least} to {most} characters. Choose a longer one, for example four words."""


class PasswordLikeUserName(InvalidField):
    """This password is little more than the user name. Choose one without the user name."""


class PasswordTooCommon(InvalidField):
    """This password is easy to guess. Choose one of four or more unrelated words."""


USER_NAME_REFUSALS = (UserNameNotVisible, UserNameMixesScripts)
PASSWORD_REFUSALS = (PasswordLengthWrong, PasswordLikeUserName, PasswordTooCommon)
