"""Ask an OpenAI-compatible endpoint, many questions at a time, with patience.

::

    question -> cache? -> request -> answer with N sentences? -> cache
                   ^         |                 | no: ask again, at most ATTEMPTS times
                   |         | 429, 5xx, cut connection, time-out: wait, at most TRIES times
                   |         | 401, 403, 404, other 4xx: stop
                   +---------+

Trouble of the endpoint stops the whole run in one line; what was answered is kept. A class for
which the model does not keep to the number does not hold up the others.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from tqdm import tqdm

from manifests.errors import UserError
from manifests.spelling import squeeze
from prep.descriptions.answers import is_refusal, sentences_in
from prep.descriptions.cache import Cache, Question
from prep.descriptions.endpoint import Endpoint

ATTEMPTS = 4  # answers with a wrong number of sentences, for one question
TRIES = 6  # failures of the endpoint, for one question
LIMIT_TRIES = 8  # the same where they are 429: limits by the minute are waited for
LONGEST_WAIT_S = 300.0
_BACK_OFF_S, _BACK_OFF_MOST_S = 0.5, 60.0
_PASSING = (408, 409, 425, 429)  # and everything from 500 on
_GIVE_UP = 5  # questions that failed, when none went well


@dataclass
class Tally:
    """What a run did: questions found in the cache, requests sent, and sent again, and why."""

    cached: int = 0
    requests: int = 0
    retries: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Answers:
    """Sentences by question; questions the model did not answer as asked, with its last fault."""

    sentences: dict[Question, tuple[str, ...]]
    failed: dict[Question, str]
    tally: Tally


class _AnswerError(Exception):
    """The endpoint works, the answer is not what was asked for."""


class _PassingError(Exception):
    """The endpoint failed in a way that may pass; ``wait_s`` is how long it asks to wait."""

    def __init__(self, what: str, wait_s: float | None = None, tries: int = TRIES) -> None:
        super().__init__(what)
        self.wait_s, self.tries = wait_s, tries


def ask_all(
    questions: Sequence[Question],
    endpoint: Endpoint,
    cache: Cache,
    there: Mapping[Question, tuple[str, ...]],
) -> Answers:
    """Answer every question: from what is ``there`` already, from the cache, by asking.

    Raises UserError when the endpoint fails for good, or the extra ``describe`` is not installed.
    """
    answers = Answers({}, {}, Tally())
    for question in questions:
        found = there.get(question) or cache.get(question)
        if found is not None:
            answers.sentences[question] = found
    answers.tally.cached = len(answers.sentences)
    left = [question for question in questions if question not in answers.sentences]
    if left:
        asyncio.run(_Asker(endpoint, cache, answers).ask(left))
    return answers


def need_openai() -> Any:
    """The client's module; UserError, naming the extra, when it is absent."""
    try:
        import openai
    except ImportError as error:
        raise UserError(
            "asking needs the openai client: pip install 'actionshards[describe]'"
        ) from error
    return openai


class _Asker:
    """One run: a client, a gate for so many requests at a time, and what has come of them."""

    def __init__(self, endpoint: Endpoint, cache: Cache, answers: Answers) -> None:
        self.openai = need_openai()
        self.endpoint, self.cache, self.answers = endpoint, cache, answers
        self.good = 0

    async def ask(self, questions: Sequence[Question]) -> None:
        endpoint = self.endpoint
        gate = asyncio.Semaphore(endpoint.parallel)
        # Retries are ours: the client's own would be neither counted nor bounded by our rules.
        async with self.openai.AsyncOpenAI(
            base_url=endpoint.address,
            default_query=endpoint.query,
            api_key=endpoint.key or "none",
            max_retries=0,
            timeout=endpoint.timeout_s,
        ) as client:
            tasks = [asyncio.create_task(self._one(client, gate, q)) for q in questions]
            try:
                with tqdm(total=len(tasks), desc="describe", unit="question", disable=None) as bar:
                    for done in asyncio.as_completed(tasks):
                        await done
                        bar.update()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, client: Any, gate: asyncio.Semaphore, question: Question) -> None:
        """Ask until the answer is right, the model has had its attempts, or the endpoint fails."""
        fault = ""
        async with gate:
            for attempt in range(ATTEMPTS):
                self.answers.tally.refused += attempt > 0
                try:
                    sentences = await self._patiently(client, question)
                except _AnswerError as bad:
                    fault = str(bad)
                    continue
                self.cache.put(question, sentences)
                self.answers.sentences[question] = sentences
                self.good += 1
                return
        self.answers.failed[question] = fault
        if not self.good and len(self.answers.failed) >= _GIVE_UP:
            raise UserError(failure(self.endpoint, self.answers.failed))

    async def _patiently(self, client: Any, question: Question) -> tuple[str, ...]:
        """One answer; failures that may pass are waited for, longer each time."""
        for tried in itertools.count(1):
            try:
                return await self._request(client, question)
            except _PassingError as trouble:
                wait = back_off(tried) if trouble.wait_s is None else trouble.wait_s
                if tried >= trouble.tries or wait > LONGEST_WAIT_S:
                    raise UserError(self._given_up(trouble, tried, wait)) from trouble
                self.answers.tally.retries += 1
                await asyncio.sleep(wait)
        raise AssertionError("each try returns, raises, or is counted")

    def _given_up(self, trouble: _PassingError, tried: int, wait: float) -> str:
        why = f"asks to wait {wait:,.0f} s" if wait > LONGEST_WAIT_S else f"failed {tried} times"
        return (
            f"{self.endpoint.host} {why}: {trouble}; look there, and run the same words "
            "again: what was answered is kept"
        )

    async def _request(self, client: Any, question: Question) -> tuple[str, ...]:
        openai, endpoint = self.openai, self.endpoint
        self.answers.tally.requests += 1
        create = client.chat.completions.with_raw_response.create
        try:
            # The client's own time-out starts anew with every byte; this one does not.
            raw = await asyncio.wait_for(
                create(model=endpoint.model, messages=question.messages), endpoint.timeout_s
            )
        except (asyncio.TimeoutError, openai.APITimeoutError) as error:
            raise _PassingError(f"no answer within {endpoint.timeout_s:g} s") from error
        except openai.APIStatusError as error:
            raise self._status(error) from error
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            what = str(cause) or type(cause).__name__
            raise _PassingError(endpoint.clean(f"connection: {what}")) from error
        except (UnicodeError, ValueError) as error:  # a key or an address that no header can hold
            raise UserError(
                f"{endpoint.host} cannot be asked with these words: "
                f"{type(error).__name__} in address or key"
            ) from None
        return _accepted(_content(raw.text, endpoint), question, endpoint)

    def _status(self, error: Any) -> Exception:
        """What an error status means: wait, or stop."""
        endpoint, code = self.endpoint, int(error.status_code)
        where, said = endpoint.host, endpoint.clean(str(error.message))
        spent = "insufficient_quota" in str(error.body)  # a 429 that does not pass
        if (code in _PASSING or code >= 500) and not spent:
            tries = LIMIT_TRIES if code == 429 else TRIES
            return _PassingError(f"{code}, {said}", retry_after(error.response.headers), tries)
        if code in (401, 403) and not endpoint.key:
            return UserError(
                f"{where} wants a key ({code}), and {endpoint.key_from} holds none: {said}"
            )
        if code in (401, 403):
            return UserError(f"{where} refuses the key of {endpoint.key_from} ({code}): {said}")
        if code == 404:
            return UserError(
                f"{where} has no model {endpoint.model!r}, or --base-url is not its API (it often "
                f"ends with /v1): {said}"
            )
        return UserError(f"{where} refuses the request ({code}): {said}")


def _content(body: str, endpoint: Endpoint) -> str:
    """Text of a chat completion; _PassingError when the body is none (a page, a cut body)."""
    record: Any = None
    try:
        record = json.loads(body)
        choice = record["choices"][0]
        content = choice["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
        told = record.get("error") if isinstance(record, dict) else None  # some tell it with 200
        why = f": {endpoint.clean(str(told))}" if told else ""
        raise _PassingError(f"its answer is no chat completion{why}") from error
    if choice.get("finish_reason") == "length":
        raise _AnswerError("cut off at the model's longest answer")
    if not isinstance(content, str):
        raise _AnswerError("an answer without text")
    return content


def _accepted(content: str, question: Question, endpoint: Endpoint) -> tuple[str, ...]:
    if endpoint.is_told_in(content):
        raise _AnswerError("an answer that holds the key")
    sentences = sentences_in(content, question.n)
    if len(sentences) != question.n:
        raise _AnswerError(f"{len(sentences)} sentences")
    if any(map(is_refusal, sentences)):
        raise _AnswerError("a refusal to answer")
    keys = {squeeze(text) for text in sentences}
    if "" in keys:
        raise _AnswerError("a sentence without a letter")
    if len(keys) < question.n:
        raise _AnswerError("the same sentence twice")
    return sentences


def failure(endpoint: Endpoint, failed: dict[Question, str]) -> str:
    """One line for questions that the model did not answer as asked."""
    first, fault = next(iter(failed.items()))
    classes = "1 question" if len(failed) == 1 else f"{len(failed)} questions"
    return (
        f"{endpoint.model} did not give {first.n} sentences for {classes}, asked {ATTEMPTS} times "
        f"each; first: {first.name!r}, {first.kind}: {fault}; run the same words again to ask for "
        "these alone, or take another --model"
    )


def back_off(tried: int) -> float:
    """Seconds to wait after so many tries: doubled each time, with jitter, bounded."""
    longest = min(_BACK_OFF_MOST_S, _BACK_OFF_S * 2 ** (tried - 1))
    return random.uniform(longest / 2, longest)


def retry_after(headers: Any, now: float | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None without one."""
    said = str(headers.get("retry-after") or "").strip()
    try:
        wait = float(said)
    except ValueError:
        try:
            wait = parsedate_to_datetime(said).timestamp() - (time.time() if now is None else now)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return max(0.0, wait) if math.isfinite(wait) else None
