"""The page: whoever looks is told, from the moment on in which the sender puts it up. That is its own proof."""

from __future__ import annotations

from infra.outbox.delivery import Delivery, DeliveryError, Outgoing, delivery


class Page:
    """The adapter of the way ``page``."""

    needs: tuple[str, ...] = ()

    def deliver(self, outgoing: Outgoing) -> Delivery:
        if outgoing.address is not None:
            raise DeliveryError("not-for-one-person", permanent=True)
        return delivery(f"page-{outgoing.id}", "delivered", outgoing.text.encode())
