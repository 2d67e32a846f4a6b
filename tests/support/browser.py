"""The command-line options with which tests start a browser."""

# A quiet browser: no sandbox (tests may run as root), and none of its own calls to the outside.
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-default-apps",
)  # fmt: skip
