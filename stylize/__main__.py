"""Run the command line as `python -m stylize`."""

from stylize.cli.main import main

if __name__ == "__main__":
    main()
