"""Table mappings as DMS evaluates them (the facts: the DMS user guide, "Table mapping").

Filters of a rule are joined by AND, the conditions of one filter by OR. Of several transformations that meet one object
the one with the lowest rule-id counts. Names are case-sensitive. Actions that DMS does not have do nothing here.
"""

import json
import re


def matches(pattern, name):
    """`%` is any text, `_` any character, `[ab]` one of these."""
    parts = re.findall(r"\[[^]]*\]|.", pattern, re.S)
    translated = "".join(
        ".*" if part == "%" else "." if part == "_" else part if len(part) > 1 else re.escape(part) for part in parts
    )
    return re.fullmatch(translated, name, re.S) is not None


def is_exact(pattern):
    return "%" not in pattern


def condition_holds(condition, value, is_number):
    operator = condition["filter-operator"]
    if operator in ("null", "notnull"):
        return (value == "") == (operator == "null")
    if value == "":  # comparisons with NULL hold for nothing
        return False

    def key(text):
        return float(text) if is_number else text

    if operator in ("between", "notbetween"):
        inside = key(condition["start-value"]) <= key(value) <= key(condition["end-value"])
        return inside == (operator == "between")
    left, right = key(value), key(condition["value"])
    return {
        "lte": left <= right,
        "ste": left <= right,
        "gte": left >= right,
        "eq": left == right,
        "noteq": left != right,
    }[operator]


class Mapping:
    def __init__(self, text):
        rules = json.loads(text)["rules"]
        self.selections = [rule for rule in rules if rule["rule-type"] == "selection"]
        self.transformations = sorted(
            (rule for rule in rules if rule["rule-type"] == "transformation"), key=lambda rule: int(rule["rule-id"])
        )
        if not self.selections:
            raise ValueError("no selection rule")

    def selected(self, tables):
        """The tables to load, each with its rule."""
        chosen = []
        for table in tables:
            meant = [rule for rule in self.selections if self._locates(rule, table)]
            includes = [rule for rule in meant if rule["rule-action"] in ("include", "explicit")]
            if includes and not any(rule["rule-action"] == "exclude" for rule in meant):
                chosen.append((table, includes[0]))
        return chosen

    def named(self, tables):
        """Exactly named tables, among them such as do not exist."""
        names = [(rule["object-locator"]["schema-name"], rule["object-locator"]["table-name"]) for rule in self.selections]
        there = {(table.schema, table.name) for table in tables}
        return [name for name in names if is_exact(name[1]) and name not in there]

    def takes(self, rule, table, row):
        if not is_exact(rule["object-locator"]["table-name"]):
            return True
        for entry in rule.get("filters", []):
            index = table.index(entry["column-name"])
            if index is None:
                raise ValueError(f"column {entry['column-name']} of {table.name} does not exist")
            is_number = table.columns[index].type.startswith("NUMBER")
            if not any(condition_holds(c, row[index], is_number) for c in entry["filter-conditions"]):
                return False
        return True

    def target(self, table, target_schema):
        """Schema, table and columns on the target; None for a column that is left out."""
        schema = self._renamed("schema", table, None, table.schema)
        if schema == table.schema and target_schema:
            schema = target_schema
        name = self._renamed("table", table, None, table.name)
        return schema, name, [self._renamed("column", table, column.name, column.name) for column in table.columns]

    def _locates(self, rule, table, column=None):
        locator = rule["object-locator"]
        return (
            matches(locator["schema-name"], table.schema)
            and matches(locator.get("table-name", "%"), table.name)
            and (column is None or matches(locator.get("column-name", "%"), column))
        )

    def _renamed(self, target, table, column, name):
        for rule in self.transformations:
            if rule["rule-target"] != target or not self._locates(rule, table, column):
                continue
            action, value = rule["rule-action"], rule.get("value")
            if action == "rename":
                return value
            if action == "convert-lowercase":
                return name.lower()
            if action == "convert-uppercase":
                return name.upper()
            if action == "add-prefix":
                return value + name
            if action == "add-suffix":
                return name + value
            if action == "remove-column":
                return None
            if action == "change-data-type":
                return name
        return name
