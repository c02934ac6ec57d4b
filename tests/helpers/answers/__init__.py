"""Records what the service answers to a fixed corpus, and compares two recordings to the byte.

For changes that must not change behaviour. Nothing of the package is imported: servers and commands run in processes of
their own, so that a recording of one layout of the source can be compared with another.

    python -m tests.helpers.answers record TARGET FILE
    python -m tests.helpers.answers compare BEFORE AFTER [--ignore-versions] [--allow FILE]

TARGET, AFTER: the interpreter of an environment (`.venv/bin/python`): servers of three settings are started, each over
an empty folder, and the commands of the `gazecrop` script beside it are run; or the address of one server that runs,
which is then compared alone:

    GAZECROP_ID_KEY=recorded GAZECROP_HOST=127.0.0.1 GAZECROP_DEVICE=cpu GAZECROP_DATA_DIR=$(mktemp -d) PORT=8123 \
        .venv/bin/gazecrop serve

Its ids are equal in another run only with the same key, and its first answers only over an empty folder: each run needs
a server of its own. Add `--python .venv/bin/python` to have the commands recorded beside it. BEFORE, AFTER: also
recordings. Both must be of one machine and one environment: the encoders of another Pillow write other bytes.

Not compared: the values of Date, X-Request-Id, Server-Timing (its names are, but for `store`) and the metrics;
modification times of files, and ETags made of them. What is random (revisions of a focus, ids of reports) may differ,
but must be equal where it was equal.
"""
