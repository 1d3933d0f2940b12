"""The keyring of the operating system: Secret Service, KWallet, Keychain, Credential Manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from wassette.errors import SecretError, visible

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

WAY_OUT = (
    'To keep secrets in files instead: WASSETTE_SECRETS=file, or secrets = "file" in config.toml'
)


class Ring:
    """One entry for each secret: the service `PREFIX:ID`, and its key as the user name.

    Whatever a backend raises becomes `SecretError` without its text, which could quote a value.
    Every method can take long: the keyring may ask a person to unlock it.
    """

    def __init__(self, prefix: str = "wassette") -> None:
        self._prefix = prefix
        self._backend: KeyringBackend | None = None

    def missing(self) -> str | None:
        """Why there is no keyring that can be used; None if there is one."""
        try:
            self._use()
        except SecretError as error:
            return str(error)
        return None

    @property
    def name(self) -> str:
        """What kind of keyring it is. Raises `SecretError`."""
        backend = self._use()
        return visible(str(getattr(backend, "name", type(backend).__name__)), 80)

    def get(self, component_id: str, key: str) -> str | None:
        """The value; None if the keyring has none. Raises `SecretError`."""
        backend = self._use()
        try:
            value = backend.get_password(self._service(component_id), key)
        except Exception as error:  # noqa: BLE001  (a backend may raise anything)
            self._failed("gives no answer", error)
        return value if isinstance(value, str) else None

    def set(self, component_id: str, key: str, value: str) -> None:
        """Raises `SecretError`."""
        backend = self._use()
        try:
            backend.set_password(self._service(component_id), key, value)
            kept = backend.get_password(self._service(component_id), key)
        except Exception as error:  # noqa: BLE001
            # Windows takes 1280 characters.
            self._failed(f"does not take {visible(key)} ({len(value)} characters)", error)
        if kept != value:
            raise SecretError(f"The keyring ({self.name}) does not keep {visible(key)}. {WAY_OUT}")

    def delete(self, component_id: str, key: str) -> None:
        """Nothing happens if it is not there. Raises `SecretError`."""
        backend = self._use()
        try:
            if backend.get_password(self._service(component_id), key) is not None:
                backend.delete_password(self._service(component_id), key)
        except Exception as error:  # noqa: BLE001
            self._failed(f"does not delete {visible(key)}", error)

    def _service(self, component_id: str) -> str:
        return f"{self._prefix}:{component_id}"

    def _failed(self, what: str, error: Exception) -> NoReturn:
        from keyring.errors import KeyringLocked

        locked = isinstance(error, KeyringLocked)
        why = "it is locked; unlock it" if locked else f"{type(error).__name__}. {WAY_OUT}"
        raise SecretError(f"The keyring ({self.name}) {what}: {why}") from None

    def _use(self) -> KeyringBackend:
        # Looked for again until there is one: the session's bus may come after this process.
        if self._backend is None:
            self._backend = _find()
        return self._backend


def _find() -> KeyringBackend:
    import keyring.core
    from keyring.backends import chainer

    try:
        keyring.core.init_backend()
        backend = keyring.core.get_keyring()
    except Exception as error:  # noqa: BLE001  (whatever a configured backend raises)
        raise SecretError(
            f"the keyring that is configured does not work: {type(error).__name__}"
        ) from None
    found = list(backend.backends) if isinstance(backend, chainer.ChainerBackend) else [backend]
    if not found or not _is_real(found[0]):
        raise SecretError("this system has no keyring, or none that can be reached from here")
    return found[0]


def _is_real(backend: KeyringBackend) -> bool:
    """Whether it keeps anything, and not for everybody to read."""
    from keyring.backends import fail, null

    kinds = [kind.__name__ for kind in type(backend).__mro__]
    return not isinstance(backend, fail.Keyring | null.Keyring) and not any(
        "plaintext" in name.lower() for name in kinds
    )
