import Libpq

/// Keys that are given as text: the statements that look rows up by them.
enum KeyTexts {
  /// `unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (k0, k1, ordinal)`
  ///
  /// - Parameter names: of further arrays of text, behind those of the key.
  static func source(_ plan: TablePlan, and names: SQL...) -> SQL {
    let columns = plan.keyColumns.indices.map { "k\($0)" as SQL } + names
    let arrays = columns.indices.map { "$\($0 + 1)::text[]" as SQL }
    return "unnest(\(arrays.joined(", "))) WITH ORDINALITY AS k (\(columns.joined(", ")), ordinal)"
  }

  /// Production's row (alias `p`) has the key.
  static func match(_ plan: TablePlan) -> SQL {
    plan.keyColumns.indices.map { index in
      let column = plan.columns[index]
      return "p.\(column.name) \(column.equality) k.k\(index)::\(column.baseType.uncutName)" as SQL
    }.joined(" AND ")
  }

  /// The arrays of the key.
  static func parameters(_ plan: TablePlan, _ keys: [[String: String]]) -> [Parameter] {
    plan.keyColumns.map { column in .textArray(keys.map { $0[column.name.name] ?? "" }) }
  }
}

extension CatalogColumn.BaseType {
  /// A value of the type as text that names one value only, whatever the session has set: for what is handed on and read again
  /// elsewhere.
  func exactText(of value: SQL) -> SQL {
    // JSON has its own form of times, with the offset of their zone in digits.
    guard TypeOID.timestamps.union([TypeOID.date]).contains(oid) else { return "(\(value))::text" }
    return "replace(to_jsonb(\(value)) #>> '{}', 'T', ' ')"
  }

  /// The type as SQL for casts that must not cut a longer value.
  var uncutName: SQL { castTruncates ? plainName : fullName }
}
