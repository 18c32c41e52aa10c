"""HTTP below any one system: connections that keep a deadline, bodies of bounded size, headers.

Knows neither the Zimun API nor any sink; both stand on it.
"""
