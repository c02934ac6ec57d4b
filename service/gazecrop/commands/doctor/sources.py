"""Each prefix of GAZECROP_SOURCES: whether its extra is installed, and whether it can be read from here."""

from gazecrop.commands.doctor.finding import Finding
from gazecrop.engine import sources_of
from gazecrop.errors import BodyTooLarge, GazecropError, SourceFailed
from gazecrop.settings import Settings
from gazecrop.sources.fetch import Sources

NAME = "gazecrop-doctor"  # requested within each prefix; it need not exist
SECONDS = 5.0  # for one prefix
_DENIED = (401, 403)


async def of_sources(settings: Settings) -> list[Finding]:
    try:
        sources = await sources_of(settings).open()
    except GazecropError as error:
        return [Finding("FAIL", "sources", str(error))]
    try:
        return [await _of_prefix(sources, prefix) for prefix in settings.sources]
    finally:
        await sources.close()


async def _of_prefix(sources: Sources, prefix: str) -> Finding:
    try:
        await sources.fetch(f"{prefix}{NAME}", SECONDS)
    except BodyTooLarge:
        pass
    except SourceFailed as error:
        status = error.members.get("received")
        if not isinstance(status, int) or status >= 500 or "NoSuchBucket" in str(error):
            return Finding("warn", "sources", f"{prefix}: {error}")
        if status in _DENIED:
            text = f"{prefix} answers {status}: these credentials may not read it"
            if prefix.startswith("s3://"):
                text += ", or may not list the bucket: then S3 does not say whether an object exists"
            return Finding("warn", "sources", text)
    except GazecropError as error:
        return Finding("warn", "sources", f"{prefix}: {error}")
    return Finding("ok", "sources", f"{prefix} answers")
