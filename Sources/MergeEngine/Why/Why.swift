import Libpq
import Logging
import Spelling

/// Says what became of one row: what staging and production hold, what the rule makes of that, and what is on record.
///
/// All sessions are read-only.
package struct Why: Sendable {
  private let options: MergeOptions
  private let session: Session
  private let logger: Logger

  /// - Parameters:
  ///   - target: the database that holds production, and staging too unless that is elsewhere.
  ///   - stagingTarget: the database that holds staging, if it is another one.
  ///   - options: schemas, column rules, the rules for NULL and ties, the time zone.
  ///   - logger: gets the server's notices.
  package init(target: ConnectionTarget, stagingTarget: ConnectionTarget? = nil, options: MergeOptions, logger: Logger)
  {
    self.options = options
    self.logger = logger
    session = Session(
      target: target,
      stagingTarget: stagingTarget,
      options: options,
      isReadOnly: true,
      logger: logger
    )
  }

  /// Looks; blocks the calling thread.
  ///
  /// - Parameters:
  ///   - table: its plain name.
  ///   - key: the key's values in the key's order, or each as `column=value`.
  /// - Throws: ``MergeFailure/usage(_:)`` for a key that makes no sense, or that nothing is known of;
  ///   ``MergeFailure/blocked(_:)`` when the table can't be merged; ``PostgresError``.
  package func ask(table: String, key: [String]) throws -> WhyReport {
    let control = try session.reachControl()
    let staging = try session.reachStaging(beside: control)
    let subject = try subject(table, control, staging)
    let asked = try AskedKey(subject, key, control)
    let sides = RowSides(plan: subject, key: asked, production: control, staging: staging)
    let records = RowRecords(plan: subject, key: asked, schemas: options.schemas.of(subject.pair), control)
    let staged = try sides.stagedRows()
    let production = try sides.productionRow()
    let report = WhyReport(
      table: subject.name,
      key: asked.named,
      columns: subject.columns.map(\.name.name),
      staging: try staged.map { try sides.judged($0, production) },
      production: production,
      reads: control === staging ? try records.reads(of: staged.map(\.ctid)) : [],
      refusals: try records.refusals(
        spelledAs: staged.filter(\.isReadable).map { $0.values.prefix(subject.keyColumnCount).compactMap(\.self) },
        gone: RefusalStanding(admin: Identifier(options.schemas.admin), production: control, staging: staging).gone()
      ),
      images: try records.images(production)
    )
    guard !report.isUnknown else {
      throw MergeFailure.usage(
        "neither \(subject.staging) nor \(subject.production) has a row with the key \(asked), and none is on record."
      )
    }
    return report
  }

  /// The key that was typed, as the table's types write it.
  ///
  /// - Throws: as ``ask(table:key:)``.
  func asked(table: String, key: [String]) throws -> AskedKey {
    let control = try session.reachControl()
    return try AskedKey(try subject(table, control, try session.reachStaging(beside: control)), key, control)
  }

  private func subject(_ table: String, _ control: Connection, _ staging: Connection) throws -> TablePlan {
    var options = options
    options.tables = [table]
    var plan = try Preparation(options: options, logger: logger, purpose: .look)
      .plan(production: control, staging: staging)
    try plan.compareTies(control)
    guard let subject = plan.tables.first else { throw MergeFailure.usage("there is no table \(table).") }
    guard plan.tables.count == 1 else {
      throw MergeFailure.usage(
        "\(table) is in several schemas. Name one with its schema: \(plan.tables.map(\.name).joined(separator: ", "))."
      )
    }
    return subject
  }
}

/// A key that somebody has typed, in the key's order.
struct AskedKey: CustomStringConvertible {
  /// As production's types write them.
  let values: [String]
  /// By column.
  let named: [String: String]

  /// - Throws: ``MergeFailure/usage(_:)``.
  init(_ plan: TablePlan, _ words: [String], _ connection: Connection) throws {
    let names = plan.keyColumns.map(\.name.name)
    func usage(_ what: String) -> MergeFailure {
      .usage("\(what): the key of \(plan.production) is (\(names.joined(separator: ", "))).")
    }
    guard words.count == names.count else {
      throw usage("\(words.count) \(words.count == 1 ? "value is" : "values are") given for \(names.count)")
    }
    for word in words {
      guard let name = word.split(separator: "=", maxSplits: 1).first.map(String.init), word.contains("=") else {
        continue
      }
      let isOther = plan.columns.contains { Spelling.isSame($0.name.name, name) } && !names.contains(name)
      if isOther { throw usage("\(name) is not a column of the key") }
    }
    // As `column=value`, if all of them are.
    let pairs = words.compactMap { word in
      names.first { word.hasPrefix("\($0)=") }.map { ($0, String(word.dropFirst($0.count + 1))) }
    }
    let typed =
      Set(pairs.map(\.0)).count == names.count
      ? names.map { name in pairs.first { $0.0 == name }?.1 ?? "" } : words
    let casts = plan.keyColumns.indices.map { index in
      "$\(index + 1)::text::\(plan.columns[index].baseType.uncutName)::text" as SQL
    }
    // What the type's length or scale would round is the key of another row.
    let areExact = plan.keyColumns.indices.map { index in
      let (column, type) = (plan.keyColumns[index], plan.columns[index].baseType)
      return "$\(index + 1)::text::\(type.plainName) \(column.equality) $\(index + 1)::text::\(type.uncutName)" as SQL
    }
    let rounded: Int?
    do {
      let row = try connection.query(
        "SELECT \((casts + areExact).joined(", "))",
        typed.map { .text($0) },
        "reading the key"
      )
      values = names.indices.map { row.text(0, $0) ?? typed[$0] }
      rounded = names.indices.first { row.bool(0, names.count + $0) == false }
    } catch {
      guard error.refusesRow else { throw error }
      let isNamed = typed.contains { $0.contains("=") }
      throw usage(
        "\(typed.joined(separator: ", ")) is not a key (\(error.message))\(isNamed ? ", nor a value with its column's name" : "")"
      )
    }
    if let rounded {
      let type = plan.columns[rounded].baseType.fullName
      throw usage(
        "\(typed[rounded]) is not a value of \(names[rounded]), which is \(type) and would make it another one"
      )
    }
    named = Dictionary(uniqueKeysWithValues: zip(names, values))
  }

  var description: String { named.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }
}
