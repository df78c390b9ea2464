"""Email over SMTP. The server's answer to the letter is the proof: it has taken over the delivery."""

from __future__ import annotations

import re
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate

from infra.outbox.delivery import Delivery, DeliveryError, Outgoing, delivery
from infra.settings import Settings

_QUEUED = re.compile(rb"queued as ([A-Za-z0-9][A-Za-z0-9.-]{0,63})")


class Mail:
    """The adapter of the way ``email``. What is for districts goes to the list that the settings name."""

    needs: tuple[str, ...] = ("email",)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def deliver(self, outgoing: Outgoing) -> Delivery:
        settings = self._settings
        to = settings.smtp_list if outgoing.address is None else outgoing.address["email"]
        if not settings.smtp_host or not settings.smtp_from or not to:
            raise DeliveryError("mail-not-configured", permanent=True)
        message = _message(outgoing, settings.smtp_from, to)
        try:
            code, answer = self._hand_over(message, settings.smtp_from, to)
        except smtplib.SMTPResponseException as error:
            raise _refused(error.smtp_code) from None
        except smtplib.SMTPException:  # its words may repeat the address: they are not kept
            raise DeliveryError("mail-broken-off") from None
        except TimeoutError:
            raise DeliveryError("mail-timeout") from None
        except OSError:
            raise DeliveryError("mail-unreachable") from None
        queued = _QUEUED.search(answer)
        return delivery(queued[1].decode() if queued else str(code), "accepted", answer)

    def _hand_over(self, message: bytes, sender: str, to: str) -> tuple[int, bytes]:
        settings = self._settings
        with smtplib.SMTP(settings.smtp_host, settings.smtp_port, timeout=settings.gateway_timeout_s) as server:
            server.ehlo_or_helo_if_needed()
            if settings.smtp_starttls:
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            if settings.smtp_username:
                server.login(settings.smtp_username, settings.smtp_password)
            for code, answer in (server.mail(sender), server.rcpt(to)):
                if code >= 300:
                    raise smtplib.SMTPResponseException(code, answer)
            code, answer = server.data(message)
            if code >= 300:
                raise smtplib.SMTPResponseException(code, answer)
            return code, answer


def _refused(code: int) -> DeliveryError:
    return DeliveryError(f"mail-refused-{code}", permanent=500 <= code < 600)


def _message(outgoing: Outgoing, sender: str, to: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    try:
        message["From"], message["To"] = sender, to
        message["Subject"] = outgoing.title
    except ValueError:  # a line break in an address would begin another header
        raise DeliveryError("bad-address", permanent=True) from None
    message["Date"] = formatdate()
    # The same letter tried twice has the same id: a mailbox shows it once.
    message["Message-ID"] = f"<{outgoing.id}@{sender.rpartition('@')[2] or 'localhost'}>"
    message.set_content(outgoing.text, charset="utf-8", cte="base64")
    if (file := outgoing.attached) is not None:
        message.add_attachment(file.content, maintype="application", subtype="pdf", filename=file.name)
    return message.as_bytes()
