import Libpq

/// The statements that look up production's versions for the keys of a batch.
///
/// One array parameter per key column; the answer is a single row of arrays too, since one message of a few hundred
/// kilobytes costs client and server less than 50,000 rows. A nested loop over the primary key's index, which
/// ``WorkerConnections`` makes the only plan to choose: a hash join would read all of production, and a merge join
/// would read it from its first row to the batch's highest key, batch after batch.
enum ProbeSQL {
  /// What ``KeyProbe`` asks. Ends with the join's condition.
  static func lookUpKeys(_ plan: TablePlan) -> SQL {
    plan.keyEqualityIsBytewise ? lookUp(plan) : lookUpAndGroup(plan)
  }

  /// ordinals (from 1) of the keys that production has, and production's versions for them.
  private static func lookUp(_ plan: TablePlan) -> SQL {
    """
    SELECT array_agg(k.ordinal::integer), array_agg(p.\(plan.version.name))
    FROM \(keys(plan))
    JOIN \(plan.production) AS p ON \(match(plan))
    """
  }

  /// As ``lookUpKeys(_:)``, for ``ReadAhead``: the rows whose key columns are each among the batch's values, all of them by one
  /// bitmap, and of these the ones that have one of its keys.
  ///
  /// For keys of one column these are the same. With several, as the lines of orders, the columns' values make more keys than
  /// the batch has: see ``KeyProbe/mayReadAhead``.
  static func lookUpAhead(_ plan: TablePlan) -> SQL {
    let isAmong = plan.keyColumns.indices.map { index in
      "p.\(plan.columns[index].name) \(plan.columns[index].equality) ANY ($\(index + 1))" as SQL
    }
    // Within the join's condition, an outer join's among them.
    return "\(lookUpKeys(plan)) AND \(isAmong.joined(" AND "))"
  }

  /// Of the keys that production has, the key itself and production's version.
  static func lookUpIntegers(_ plan: TablePlan) -> SQL {
    let key = plan.columns[0].name
    return """
      SELECT array_agg(p.\(key)), array_agg(p.\(plan.version.name))
      FROM \(plan.production) AS p WHERE p.\(key) = ANY ($1)
      """
  }

  /// key and version of every production row between two integer keys, in no order that is relied on.
  static func copyRange(_ plan: TablePlan, from lowest: Int64, to highest: Int64) -> SQL {
    let key = plan.columns[0].name
    return """
      COPY (SELECT p.\(key), p.\(plan.version.name) FROM \(plan.production) AS p
            WHERE p.\(key) >= \(Literal("\(lowest)")) AND p.\(key) <= \(Literal("\(highest)"))) TO STDOUT (FORMAT binary)
      """
  }

  /// As ``lookUp(_:)`` for keys that can be equal without having equal bytes: also, for every ordinal, the first ordinal
  /// of an equal key, and whether production has it. (A composite key IS NOT NULL only if none of its fields is.)
  private static func lookUpAndGroup(_ plan: TablePlan) -> SQL {
    // Keys with a NULL are equal to nobody.
    let parts = plan.keyColumns.indices.map { "k.k\($0)" as SQL }.joined(", ")
    let partition = plan.keyColumns.indices.map { "\(key($0, plan))" as SQL }.joined(", ")
    return """
      SELECT array_agg(k.ordinal::integer), array_agg(p.\(plan.version.name)),
             array_agg(k.first::integer), array_agg(p.\(plan.columns[0].name) IS DISTINCT FROM NULL)
      FROM (SELECT k.*, CASE WHEN num_nulls(\(parts)) > 0 THEN k.ordinal
                             ELSE min(k.ordinal) OVER (PARTITION BY \(partition)) END AS first
            FROM \(keys(plan))) AS k
      LEFT JOIN \(plan.production) AS p ON \(match(plan))
      """
  }

  /// ordinal (from 1) of each key that production has, and production's columns for it in the plan's order.
  static func lookUpRows(_ plan: TablePlan) -> SQL {
    """
    SELECT k.ordinal::integer, \(columns(plan).joined(", "))
    FROM \(keys(plan))
    JOIN \(plan.production) AS p ON \(match(plan))
    """
  }

  /// Production's columns, from alias `p`, in the form in which staging's travel.
  static func columns(_ plan: TablePlan) -> [SQL] { plan.columns.map(\.productionExpression) }

  static func parameterTypes(_ plan: TablePlan) -> [UInt32] {
    plan.keyColumns.map(\.probeArrayOid)
  }

  /// `unnest($1, $2) WITH ORDINALITY AS k (k0, k1, ordinal)`
  static func keys(_ plan: TablePlan) -> SQL {
    let arrays = plan.keyColumns.indices.map { "$\($0 + 1)" as SQL }.joined(", ")
    let names = plan.keyColumns.indices.map { "k\($0)" as SQL }.joined(", ")
    return "unnest(\(arrays)) WITH ORDINALITY AS k (\(names), ordinal)"
  }

  /// The value of a key column, of `k`, in production's type.
  static func key(_ index: Int, _ plan: TablePlan) -> SQL {
    let column = plan.columns[index]
    let value: SQL = column.probesAsText ? "k.k\(index)::\(column.baseType.fullName)" : "k.k\(index)"
    // Without it, grouping would go by the parameter's collation, the database's.
    return column.baseType.collated(value)
  }

  private static func match(_ plan: TablePlan) -> SQL {
    let sameKey = plan.keyColumns.indices.map { index in
      "p.\(plan.columns[index].name) \(plan.columns[index].equality) \(key(index, plan))" as SQL
    }
    let routing = plan.shardKeyIndex.map { index in
      ShardRouting.condition("p.\(plan.columns[index].name)", plan.columns[index].equality, "$\(index + 1)")
    }
    return (sameKey + [routing].compactMap(\.self)).joined(" AND ")
  }
}
