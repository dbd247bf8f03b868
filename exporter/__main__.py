"""`python -m exporter`."""

from exporter.signals import end_quietly


def main() -> None:
    """Run the command line; signals first, since its imports take a while."""
    end_quietly()
    from exporter.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
