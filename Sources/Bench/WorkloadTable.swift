import Libpq

/// The shape of a workload's table: the guide's orders, the same with some text, or a wide one.
enum WorkloadTable {
  case orders
  /// Of about 200 bytes, so that of rows that are one in 40 each lies on a page of its own.
  case padded
  case wide

  static let key = Identifier("order_id")
  static let version = Identifier("updated_at")
  static let status = Identifier("_dms_processing_status")

  var name: Identifier { Identifier(self == .wide ? "wide_orders" : "orders") }

  /// Key, payload and version, in the order of the table.
  var columns: [Column] {
    [Column(Self.key, "integer", value: "key")] + payload
      + [
        Column(
          Self.version,
          "timestamp",
          value: "\(Self.firstVersion(key: "key")) + coalesce(hours_newer, 1) * interval '1 hour'"
        )
      ]
  }

  /// The version that a row of this key has in production before.
  static func firstVersion(key: SQL) -> SQL { "timestamp '2025-01-10' + \(key) * interval '1 second'" }

  /// The names of all columns, each behind `prefix`.
  func columnList(_ prefix: SQL = "") -> SQL {
    columns.map { prefix + "\($0.name)" }.joined(", ")
  }

  /// `amount = s.amount, …` for all columns but the key, the values from alias `source`.
  func assignments(from source: SQL) -> SQL {
    columns.dropFirst().map { "\($0.name) = \(source).\($0.name)" as SQL }.joined(", ")
  }

  private var payload: [Column] {
    let orders = [
      Column(Identifier("customer_id"), "integer", value: "(1 + key::bigint * 7919 % 20000)::integer"),
      Column(
        Identifier("amount"),
        "numeric(10,2)",
        value: "(key::bigint * 31 % 100000 + coalesce(hours_newer, 1)) / 100.0"
      ),
      Column(Identifier("order_date"), "timestamp", value: "timestamp '2025-01-01' + (key % 31) * interval '1 day'"),
    ]
    // With the five of the orders a wide table has 60 columns.
    let fieldCount =
      switch self {
      case .orders: 0
      case .padded: 7
      case .wide: 55
      }
    return orders
      + (0..<fieldCount).map { $0 + 1 }.map { number in
        Column(Identifier("field_\(number)"), "varchar(40)", value: "'value ' || \(number) || ' of ' || key")
      }
  }

  /// A column with the expression that computes its value from `key` and `hours_newer`.
  struct Column {
    let name: Identifier
    let type: SQL
    let value: SQL

    init(_ name: Identifier, _ type: SQL, value: SQL) {
      self.name = name
      self.type = type
      self.value = value
    }
  }
}
