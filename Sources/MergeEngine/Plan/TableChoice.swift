import Libpq
import Spelling

/// Which tables a run takes: each production table with its staging table, which has its name unless the file says otherwise.
struct TableChoice {
  private let staging: [CatalogTable]
  private let production: [CatalogTable]
  private let stagingSchema: String
  private let productionSchema: String
  private let stagingNames: StagingNames

  /// The tables that are merged.
  private(set) var pairs: [(staging: CatalogTable, production: CatalogTable)] = []
  /// Names that stand for nothing, or only for something of another spelling.
  private(set) var findings: [Finding] = []
  /// The tables whose staging is there, whether or not anything stands against them, by production's name.
  private(set) var stagingOfTable: [String: QualifiedName] = [:]
  /// The tables whose staging is not known, by production's name: the file names one that is not there, or several may be meant.
  private(set) var undecided: Set<String> = []

  /// - Parameters:
  ///   - staging: the tables of the staging schema, or of a snapshot.
  ///   - production: those of the production schema.
  ///   - rules: what staging calls otherwise than production.
  ///   - names: the tables that were asked for, by production's names; nil for all that have both sides.
  init(
    staging: [CatalogTable],
    production: [CatalogTable],
    stagingSchema: String,
    productionSchema: String,
    rules: ColumnRules,
    only names: [String]?
  ) {
    self.staging = staging
    self.production = production
    self.stagingSchema = stagingSchema
    self.productionSchema = productionSchema
    stagingNames = StagingNames(rules, staging: staging, production: production)
    if let names {
      var seen: Set<Identifier> = []
      for name in names.map({ Identifier($0) }) where seen.insert(name).inserted { choose(name) }
    } else {
      for table in staging { choose(ofStaging: table.name.name) }
      let chosen = Set(pairs.map(\.production.name.name))
      // A table that the file gives a staging table is meant to be merged.
      for name in production.map(\.name.name) where stagingNames.named(name) != nil && !chosen.contains(name) {
        choose(name)
      }
      tellOfDeprived()
    }
  }

  /// A production table that was asked for.
  private mutating func choose(_ name: Identifier) {
    let isInProduction = production.contains { $0.name.name == name }
    switch stagingNames.staging(of: name) {
    case .found(let stagingName) where isInProduction: add(stagingName, name)
    case .found(let stagingName): findings.append(missingProduction(stagingName, wasNamed: true))
    case .none:
      if stagingNames.named(name) != nil { undecided.insert(name.name) }
      findings.append(.blocker(.notFound, name.name, missingStaging(name)))
    case .ambiguous(let names): add(ambiguity(names, name), of: name)
    }
  }

  /// Of a production table whose namesake in staging the file gives to another one.
  private mutating func tellOfDeprived() {
    for (table, stagingName) in pairs.map({ ($0.production.name.name, $0.staging.name.name) })
    where stagingNames.named(table) == stagingName && stagingNames.named(stagingName) == nil
      && production.contains(where: { $0.name.name == stagingName })
    {
      findings.append(
        .warning(
          stagingName.name,
          "\(productionSchema).\(stagingName) is not merged: tables.\(table).staging_table gives \(stagingSchema).\(stagingName) to "
            + "\(productionSchema).\(table)."
        )
      )
    }
  }

  /// A staging table that may be of a production table.
  private mutating func choose(ofStaging stagingName: Identifier) {
    switch stagingNames.production(of: stagingName) {
    case .found(let name):
      switch stagingNames.staging(of: name) {
      case .found(stagingName): add(stagingName, name)
      // The other one is, and this one is left over.
      case .found, .none: findings.append(missingProduction(stagingName, wasNamed: false))
      case .ambiguous(let names): add(ambiguity(names, name), of: name)
      }
    case .none: findings.append(missingProduction(stagingName, wasNamed: false))
    case .ambiguous(let names):
      findings.append(
        .blocker(
          stagingName.name,
          "\(stagingSchema).\(stagingName.quoted) may belong to \(Spelling.list(names.map { "\(productionSchema).\($0.quoted)" })), "
            + "which differ only in case. Name it under the right one: staging_table: \(stagingName)"
        )
      )
    }
  }

  private mutating func add(_ stagingName: Identifier, _ name: Identifier) {
    guard let from = staging.first(where: { $0.name.name == stagingName }),
      let into = production.first(where: { $0.name.name == name })
    else { return }
    pairs.append((from, into))
    stagingOfTable[name.name] = from.name
  }

  /// Said once, though it is met once for each of the names.
  private mutating func add(_ blocker: String, of name: Identifier) {
    undecided.insert(name.name)
    guard !findings.contains(where: { $0.message == blocker }) else { return }
    findings.append(.blocker(name.name, blocker))
  }

  private func ambiguity(_ names: [Identifier], _ name: Identifier) -> String {
    names.count > 1
      ? "the staging tables \(names.map { "\(stagingSchema).\($0.quoted)" }.joined(separator: " and ")) differ only in case, and "
        + "both may belong to \(productionSchema).\(name). Name one: tables.\(name).staging_table"
      : "several tables of \(productionSchema) differ only in case, and \(stagingSchema).\(names.first?.quoted ?? "") may belong "
        + "to each. Name it under the right one: staging_table"
  }

  private func missingStaging(_ name: Identifier) -> String {
    if let stagingName = stagingNames.named(name) {
      return
        "there is no staging table \(stagingSchema).\(stagingName), which tables.\(name).staging_table names. Create it with "
        + "init, or name the right one.\(Spelling.question(for: stagingName.name, in: staging.map(\.name.name.name)))"
    }
    let sentence = "there is no staging table \(stagingSchema).\(name)"
    if let other = Self.sameName(name, in: staging) {
      return "\(sentence), but \(stagingSchema).\(other.quoted). \(rename(other, to: name))"
    }
    if name.name.contains(",") { return "\(sentence). To name several tables, give --table once for each." }
    // Its own name is no other one that was meant.
    let known = (staging + production).map(\.name.name.name).filter { $0 != name.name }
    let isInProduction = production.contains { $0.name.name == name }
    let advice = isInProduction ? "Create it with init." : "\(productionSchema) has no table of that name either."
    return "\(sentence). \(advice)\(Spelling.question(for: name.name, in: known))"
  }

  /// Nobody loads a table under production's name in another case to have it left out: that is a blocker. Others may be
  /// there for any reason.
  private func missingProduction(_ name: Identifier, wasNamed: Bool) -> Finding {
    if let other = stagingNames.named(name) {
      return .warning(
        name.name,
        "\(stagingSchema).\(name) is not merged: tables.\(name).staging_table names \(other) for \(productionSchema).\(name)."
      )
    }
    let sentence = "\(stagingSchema).\(name) has no table of the same name in \(productionSchema)"
    if let other = Self.sameName(name, in: production) {
      return .blocker(
        .notFound,
        name.name,
        "\(stagingSchema).\(name.quoted) has no table of the same name in \(productionSchema), only \(other.quoted), which "
          + "differs in case. \(rename(name, to: other))"
      )
    }
    let question = Spelling.question(for: name.name, in: production.map(\.name.name.name))
    return wasNamed
      ? .blocker(.notFound, name.name, "\(sentence).\(question)")
      : .warning(.notFound, name.name, "\(sentence): not merged.\(question)")
  }

  private func rename(_ name: Identifier, to other: Identifier) -> String {
    let statement: SQL =
      "ALTER TABLE \(QualifiedName(schema: Identifier(stagingSchema), name: name)) RENAME TO \(other)"
    return
      "Have DMS load into the other name (the rule action convert-lowercase of its mappings), match the two "
      + "with --fold-case or tables.\(other).staging_table, or rename it: \(statement.text). Drop an empty table of that name "
      + "first."
  }

  private static func sameName(_ name: Identifier, in tables: [CatalogTable]) -> Identifier? {
    tables.first { $0.name.name != name && Spelling.isSame($0.name.name.name, name.name) }?.name.name
  }
}
