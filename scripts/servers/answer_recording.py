"""Records what programs answer to the requests of meshline's sources."""

from __future__ import annotations

from meshline.ingest.sources.http_reader import HttpReader


def record_answers(answers: dict[str, str]) -> None:
    """From now on every answer is kept, by method and address."""
    request = HttpReader._request_again  # noqa: SLF001

    def record(self: HttpReader, method: str, address: str, body: object) -> bytes:
        data = request(self, method, address, body)
        answers[f"{method} {address}"] = data.decode()
        return data

    HttpReader._request_again = record  # type: ignore[method-assign]  # noqa: SLF001
