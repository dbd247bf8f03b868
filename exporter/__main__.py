"""Entry point of `python -m exporter`."""

import sys

from exporter.signals import end_quietly


def main() -> None:
    """Run the command line. Signals are set up first, because the imports take a while."""
    end_quietly()
    if sys.argv[1:2] == ["healthcheck"]:
        from exporter.daemon.healthcheck import quick_answer

        if answer := quick_answer(sys.argv[2:]):
            print(answer.detail, file=sys.stdout if answer.healthy else sys.stderr)
            raise SystemExit(not answer.healthy)

    from exporter.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
