"""The page that people look at: one static HTML file a run, with its pictures, styles and script in it."""
