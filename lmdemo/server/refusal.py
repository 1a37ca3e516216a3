"""A request that is not let through, and the answer to it."""

from collections.abc import Collection

from starlette.responses import JSONResponse, Response


class Refusal(Exception):  # noqa: N818 - nothing went wrong here
    """Carries the status and the sentence that answer a request; it never repeats what the request held."""

    def __init__(
        self, status: int, sentence: str, retry_after: int | None = None, *, allow: Collection[str] = ()
    ) -> None:
        """`retry_after` is in seconds; `allow` are the methods that are answered."""
        super().__init__(sentence)
        self.status, self.sentence, self.retry_after, self.allow = status, sentence, retry_after, allow

    def response(self) -> Response:
        """As the page and the endpoints show it: Gradio's clients read `error`."""
        wait = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        allow = {"Allow": ", ".join(self.allow)} if self.allow else {}
        return JSONResponse({"error": self.sentence}, self.status, wait | allow)
