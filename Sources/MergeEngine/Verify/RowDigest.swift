import Libpq

/// A table as it is read for a first look over a network: key, version, and in the place of all columns that are compared a
/// digest of them.
///
/// Each server makes it of the form in which the values would have travelled (`record_send`: of each column its type, its
/// length or that it is NULL, and its binary form), as production's type on both sides. So two rows have the same digest only
/// if all their values have the same bytes, as long as nobody finds two texts with one SHA-256; and equal bytes are equal
/// values for every type. Rows whose digests differ are suspects, which ``SecondLook`` compares by value: 1.0 and 1.00 cost a
/// look, and no row is taken for right that is not.
enum RowDigest {
  private static let name = Identifier("_merge_engine_digest")

  /// The table as it is read; nil where there is nothing to make a digest of, Citus would have to, or rows of a batch may have
  /// keys that are equal in other bytes, of which one that lost is told by its values.
  static func digested(_ plan: TablePlan, _ comparison: RowComparison) -> (plan: TablePlan, comparison: RowComparison)?
  {
    guard !comparison.columns.isEmpty, plan.keyEqualityIsBytewise, plan.citus == nil else { return nil }
    let columns = comparison.columns.map { plan.columns[$0.index] }
    func digest(_ value: (TablePlan.Column) -> SQL) -> SQL {
      let values = columns.map { column -> SQL in
        // A domain would travel under its own name.
        column.travel == .text ? value(column) : "(\(value(column)))::\(column.baseType.plainName)"
      }
      return "sha256(record_send(ROW(\(values.joined(", ")))))"
    }
    var digested = plan
    digested.columns =
      plan.columns[..<plan.comparedColumnCount] + [
        TablePlan.Column(
          name: name,
          readExpression: digest(\.readExpression),
          travel: .binary,
          baseType: CatalogColumn.BaseType(
            oid: TypeOID.bytea,
            modifier: -1,
            plainName: "bytea",
            fullName: "bytea",
            arrayOid: 0,
            nonDeterministicCollation: nil
          ),
          isInsertOnly: false,
          equality: "=",
          productionDigest: digest(\.productionExpression)
        )
      ]
    return (digested, RowComparison(digestAt: plan.comparedColumnCount))
  }
}
