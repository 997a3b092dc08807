import Libpq

/// A column whose type is not the same on both sides.
public struct TypeDifference: Sendable, Codable {
  /// The table's plain name.
  public let table: String
  /// The column's name.
  public let column: String
  /// Production's type; nil if it has no such column.
  public let production: String?
  /// Staging's type; nil if it has no such column.
  public let staging: String?
  /// One of the guide's four verdicts, or one of ``Verdict``.
  public let status: String
  /// Whether the guide's view sees it.
  public let isSeenByView: Bool

  private enum CodingKeys: String, CodingKey {
    case table, column
    case production = "target_data_type"
    case staging = "staging_data_type"
    case status
    case isSeenByView = "seen_by_view"
  }

  /// What the guide's view can't see.
  public enum Verdict: String, Sendable, CaseIterable {
    /// Staging lacks a column of production.
    case missingInStaging = "MISSING IN STAGING"
    /// Production lacks a column of staging.
    case missingInProduction = "MISSING IN PRODUCTION"
    /// The view says the same, as for arrays and the types that users make, but the types differ.
    case typeMismatch = "TYPE MISMATCH"
    /// The types differ in their modifier, as timestamp(3) and timestamp.
    case modifierMismatch = "MODIFIER MISMATCH"
    /// Production has a domain, whose checks staging does not make.
    case domain = "DOMAIN"
    /// Production refuses NULL, staging takes it.
    case nullability = "NULL ALLOWED"
  }

  /// Whether values may differ or be lost; domains and nullability refuse rows, and nothing slips through.
  public var isMismatch: Bool {
    status != Verdict.domain.rawValue && status != Verdict.nullability.rawValue
  }
}

extension TypeDifference {
  /// The same with the table called by its schema.
  fileprivate func within(_ schema: String) -> TypeDifference { called("\(schema).\(table)") }

  /// The same of a table that is called otherwise.
  func called(_ name: String) -> TypeDifference {
    TypeDifference(
      table: name,
      column: column,
      production: production,
      staging: staging,
      status: status,
      isSeenByView: isSeenByView
    )
  }
}

/// Compares the types of staging and production: the guide's view, and what it can't see.
struct TypeCheck {
  let options: MergeOptions
  let production: Connection
  /// The same connection if staging is in the same database.
  let staging: Connection

  /// All differences, by table and column.
  func run() throws(PostgresError) -> [TypeDifference] {
    let isSplit = production !== staging
    let catalog = try Catalog(production, schemas: options.schemas.allStaging + options.schemas.allProduction)
    let stagingCatalog = isSplit ? try Catalog(staging, schemas: options.schemas.allStaging) : catalog
    let hasSeveral = options.schemas.hasSeveralPairs
    var found: [TypeDifference] = []
    for own in options.ofEachPair(staging: stagingCatalog, production: catalog) {
      let differences = try differences(of: own, catalog, stagingCatalog, isSplit: isSplit)
      found += hasSeveral ? differences.map { $0.within(own.schemas.production) } : differences
    }
    return found
  }

  private func differences(
    of options: MergeOptions,
    _ catalog: Catalog,
    _ stagingCatalog: Catalog,
    isSplit: Bool
  ) throws(PostgresError) -> [TypeDifference] {
    let seen = isSplit ? [] : try seenByView(options)
    let seenPlaces = Set(seen.map { [$0.table, $0.column] })
    var unseen: [TypeDifference] = []
    let choice = TableChoice(
      staging: stagingCatalog.tables(in: options.schemas.staging),
      production: catalog.tables(in: options.schemas.production),
      stagingSchema: options.schemas.staging,
      productionSchema: options.schemas.production,
      rules: options.columns,
      only: options.tables
    )
    for (staging, table) in choice.pairs {
      let name = table.name.name.name
      let staged = StagedColumns(staging, for: table, options.columns).table
      unseen += Self.compare(staged, table) { seenPlaces.contains([name, $0.name]) }
    }
    return (seen + unseen).sorted { ($0.table, $0.column, $0.status) < ($1.table, $1.column, $1.status) }
  }

  /// The view's own query, so that a role without the admin schema gets it too.
  private func seenByView(_ options: MergeOptions) throws(PostgresError) -> [TypeDifference] {
    let rows = try production.query(
      """
      SELECT v.table_name::text, v.column_name::text, v.target_data_type::text, v.staging_data_type::text, v.status::text
      FROM (\(TypeComparisonSQL(schemas: options.schemas, rules: options.columns).query)) AS v
      """,
      "comparing the types of staging and production"
    )
    return (0..<rows.count).map { row in
      TypeDifference(
        table: rows.text(row, 0) ?? "",
        column: rows.text(row, 1) ?? "",
        production: rows.text(row, 2),
        staging: rows.text(row, 3),
        status: rows.text(row, 4) ?? "",
        isSeenByView: true
      )
    }.filter { options.tables?.contains($0.table) ?? true }
  }

  private static func compare(
    _ staging: CatalogTable,
    _ production: CatalogTable,
    isSeen: (Identifier) -> Bool
  ) -> [TypeDifference] {
    let name = production.name.name.name
    func difference(
      _ verdict: TypeDifference.Verdict,
      production: CatalogColumn?,
      staging stagingColumn: CatalogColumn?
    ) -> TypeDifference {
      TypeDifference(
        table: name,
        column: (production ?? stagingColumn)?.name.name ?? "",
        production: production?.declaredType.text,
        staging: stagingColumn?.declaredType.text,
        status: verdict.rawValue,
        isSeenByView: false
      )
    }
    var differences: [TypeDifference] = []
    for column in staging.columns where production.column(column.name) == nil {
      guard column.name != TablePlanner.statusColumn else { continue }
      differences.append(difference(.missingInProduction, production: nil, staging: column))
    }
    for column in production.columns where !column.isGenerated {
      guard let other = staging.column(column.name) else {
        differences.append(difference(.missingInStaging, production: column, staging: nil))
        continue
      }
      if !isSeen(column.name) {
        if column.baseType.plainName != other.baseType.plainName {
          differences.append(difference(.typeMismatch, production: column, staging: other))
        } else if column.baseType.modifier != other.baseType.modifier {
          differences.append(difference(.modifierMismatch, production: column, staging: other))
        }
      }
      if column.declaredType != column.baseType.fullName, other.declaredType != column.declaredType {
        differences.append(difference(.domain, production: column, staging: other))
      }
      if column.isNotNull && !other.isNotNull {
        differences.append(difference(.nullability, production: column, staging: other))
      }
    }
    return differences
  }
}
