import Libpq

/// The statements that make values of production's types out of texts. They run on the server, which knows its types.
///
/// Alias `k` has the texts of the table's columns as `c0`, `c1`, …, and the row's place in the batch as `ordinal`.
struct CSVConversion {
  let columns: [CatalogColumn]
  /// The columns by which rows are matched: a text that is not the same key as a value of the column's type is none.
  let key: [Identifier]
  /// The zone of times that name none, where the column wants one.
  let timeZone: String

  /// Of each row its ordinal and its values, in binary form.
  ///
  /// - Parameter deleted: the deletions that may take rows back; each row then has the number of the last one of its key too.
  func select(_ deleted: DeletedKeys?) -> SQL {
    let values: SQL = columns.indices.map { value($0) }.joined(", ")
    var last: SQL = ""
    if let deleted {
      let number = deleted.lastNumber { name in typedValue(column(name)) }
      last = ", \(number)"
    }
    return "SELECT k.ordinal::integer, \(values)\(last) FROM \(source(columns.indices)) ORDER BY k.ordinal"
  }

  /// A table's text arrays as rows.
  func source(_ columns: some Collection<Int>, and names: [SQL] = []) -> SQL {
    var aliases: [SQL] = columns.map { index in "c\(index)" }
    aliases += names
    let arrays: [SQL] = aliases.indices.map { index in "$\(index + 1)::text[]" }
    aliases.append("ordinal")
    return "unnest(\(arrays.joined(", "))) WITH ORDINALITY AS k (\(aliases.joined(", ")))"
  }

  /// Whether a column's texts can be values: run for a single row to find out which column the server refuses.
  func select(only column: Int) -> SQL { "SELECT \(value(column)) FROM \(source([column]))" }

  func column(_ name: Identifier) -> Int { columns.firstIndex { $0.name == name } ?? 0 }

  /// A column's value in the form in which it goes into the file.
  private func value(_ index: Int) -> SQL {
    columns[index].travelElsewhere == .text ? "(\(typedValue(index)))::text" : typedValue(index)
  }

  /// A text as the column's value. What is too long is left as it is: the merge has the server refuse it, row by row, where a
  /// cast would cut it.
  func typedValue(_ index: Int) -> SQL {
    let (column, value) = (columns[index], read(index))
    guard key.contains(column.name) else { return value }
    let keyCast = KeyCast(
      column.name,
      "k.c\(index)",
      cast: value,
      from: .text,
      to: column.baseType,
      casts: .none,
      timeZone: timeZone
    )
    return keyCast?.guarded ?? value
  }

  private func read(_ index: Int) -> SQL {
    let type = columns[index].baseType
    let text: SQL = "k.c\(index)"
    // DMS writes bytes as hexadecimal digits.
    if type.oid == TypeOID.bytea {
      return "CASE WHEN starts_with(\(text), '\\x') THEN \(text)::bytea ELSE pg_catalog.decode(\(text), 'hex') END"
    }
    return type.oid == TypeOID.timestamptz
      ? "(\(ZonedCast(zone: timeZone).bound(text, as: type)))::\(type.fullName)" : "\(text)::\(type.uncutName)"
  }
}
