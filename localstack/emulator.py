"""MiniStack as a child of ours: `python -m localstack.emulator`."""

from localstack import lifeline


def main() -> None:
    lifeline.hold()
    from ministack.app import main as serve

    serve()


if __name__ == "__main__":
    main()
