"""What `gazecrop work` needs: its settings, its extras, and the stream in Redis."""

from gazecrop.commands.doctor.finding import Finding, State
from gazecrop.commands.work.command import refusal
from gazecrop.commands.work.writers import writer
from gazecrop.errors import GazecropError, StoreAway
from gazecrop.jobs.stream import SECONDS, Names
from gazecrop.settings import Settings
from gazecrop.store.redis_link import Link


async def of_worker(settings: Settings) -> list[Finding]:
    if problem := refusal(settings):
        return [Finding("FAIL", "worker", problem)]
    try:
        for result in settings.work_results:
            writer(result)
        return await _of_stream(settings)
    except StoreAway as error:
        # As for the store: with GAZECROP_ID_KEY set a worker starts, and waits for its Redis.
        state: State = "warn" if settings.id_key else "FAIL"
        return [Finding(state, "worker", str(error))]
    except GazecropError as error:
        return [Finding("FAIL", "worker", str(error))]


async def _of_stream(settings: Settings) -> list[Finding]:
    names, url = Names.of(settings.work_stream), settings.redis_url
    assert url  # see `refusal`
    link = Link(url)
    try:
        waiting, dead = [
            int(await link.run(lambda name=name: link.client.xlen(name), SECONDS))  # type: ignore[misc]
            for name in (names.jobs, names.dead)
        ]
    finally:
        await link.close()
    goes_to = " and ".join(settings.work_results)
    found = [Finding("ok", "worker", f"{waiting} jobs in the stream {names.jobs}; results go to {goes_to}")]
    if dead:
        text = f"{dead} dead letters in {names.dead}; `gazecrop work --retry-dead` tries them again"
        found.append(Finding("warn", "worker", text))
    return found
