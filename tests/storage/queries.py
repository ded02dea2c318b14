"""Plain SQL, through the driver and without `kt_extras`."""

import sqlite3


def rows(url, sql):
    """Return the rows that a query finds."""
    if url.startswith("sqlite:///"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    else:
        import psycopg

        connection = psycopg.connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute(sql)
        found = cursor.fetchall() if cursor.description else []
        connection.commit()
        return found
    finally:
        connection.close()
