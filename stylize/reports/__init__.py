"""Results to look at: contact sheet, HTML report, plots, film, and pictures in a terminal."""
