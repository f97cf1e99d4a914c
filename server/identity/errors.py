"""Refusals that only identity knows."""

from __future__ import annotations

from server.domain.errors import InvalidField, NotAllowed, NotFound, NotSignedIn, NowServingError, Refused, Unavailable


class SignInLocked(NowServingError):
    """Too many wrong passwords: try again in {retry_after} s."""


class SignInBusy(Unavailable):
    """Too many people are signing in at this moment. Try again in {retry_after} s."""


class SecondFactorFailed(NotSignedIn):
    """The code is wrong or was used before. Wait for the next code of the app, or use another recovery code."""


class SignInExpired(NotSignedIn):
    """This sign-in has expired. Enter the user name and the password again."""


class OwnPasswordWrong(NotAllowed):
    """The password is wrong. Enter the password with which you sign in."""


class CodeWrong(NotAllowed):
    """The code is wrong. Check that the time of the phone is right, and enter the next code."""


class SecondFactorNotBegun(Refused):
    """No set-up of a second factor waits for a code. Begin the set-up again."""


class SecondFactorOff(Refused):
    """This account has no second factor."""


class LinkNotFound(NotFound):
    """This link is unknown, was used before, or has expired. Ask your administrator for a new one."""


class UserNotFound(NotFound):
    """There is no user with the name {username}. Check the spelling."""


class InvitationNotFound(NotFound):
    """This invitation is unknown, was used before, or has ended."""


class SetupClosed(NotFound):
    """This installation has an administrator already. Sign in instead."""


class SetupCodeMissing(NotAllowed):
    """The set-up code is missing. The terminal of the server shows it."""


class SetupCodeWrong(NotAllowed):
    """This is not the set-up code. {left} more tries are left."""


class SetupCodeEnded(NotAllowed):
    """The set-up code has ended. Run `nowserving setup-code`, or restart the server, and use the new code."""


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
SETUP_REFUSALS = (SetupClosed, SetupCodeMissing, SetupCodeWrong, SetupCodeEnded)
PASSWORD_REFUSALS = (PasswordLengthWrong, PasswordLikeUserName, PasswordTooCommon)
