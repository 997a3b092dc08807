"""An "Oracle" schema: a folder of CSV files with Oracle's names, types and habits.

A header cell is a column and its type, `AMOUNT NUMBER(10,2)`. Oracle's habits: names in upper case; DATE has a time of day;
an empty string is NULL; CHAR is padded.
"""

import csv
import decimal
import pathlib
import re


class Column:
    def __init__(self, cell):
        self.name, self.type = cell.split(" ", 1)

    def value(self, text, supports_lobs):
        """What DMS hands to the target, or None for NULL."""
        if text == "" or (self.type.endswith("LOB") and not supports_lobs):
            return None
        if self.type.startswith("CHAR"):
            return text.rstrip(" ") or None
        if self.type == "NUMBER":  # without precision: precision 38, scale 10
            return str(decimal.Decimal(text).quantize(decimal.Decimal(1).scaleb(-10)).normalize())
        return text.replace("\0", " ")

    def postgres_type(self):
        """The type that DMS gives a column of a table that it makes itself."""
        if self.type.startswith(("DATE", "TIMESTAMP")):
            return "timestamp"
        if self.type.startswith("NUMBER"):
            return "numeric" + re.sub(r"^NUMBER", "", self.type)
        return "text"


class Table:
    def __init__(self, schema, path):
        self.schema, self.name = schema, path.stem
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        self.columns = [Column(cell) for cell in rows[0]]
        self.rows = rows[1:]

    def index(self, name):
        """Where a column stands; names are case-sensitive."""
        return next((i for i, column in enumerate(self.columns) if column.name == name), None)


def read(folder):
    """All tables below `folder`, one folder a schema."""
    return [Table(path.parent.name, path) for path in sorted(pathlib.Path(folder).glob("*/*.csv"))]
