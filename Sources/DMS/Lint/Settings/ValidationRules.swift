import Spelling

/// What DMS's own validation can't do, or does without a word.
///
/// <https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Validating.html>, "Limitations".
enum ValidationRules {
  /// Types of key columns that validation does not compare, and such as it does only with a length.
  private static let uncomparableTypes = ["bytea", "text", "json", "jsonb", "xml", "character varying"]
  /// A character key must be shorter than this.
  private static let keyLengthLimit = 1024

  static func check(_ root: Cursor, _ schema: KnownSchema?, _ found: inout FindingList) {
    let section = root["ValidationSettings"]
    checkOnly(root, section, &found)
    guard let section, let place = section["EnableValidation"], place.node.bool == true else { return }
    checkLimits(section, place, &found)
    if let replacements = root["CharacterSetSettings"]?["CharacterReplacements"], !replacements.elements.isEmpty {
      found.add(
        .validationWithCharacterSubstitution,
        at: replacements,
        "DMS does not validate where characters are replaced",
        advice: "switch validation off, or load without replacing characters"
      )
    }
    for table in schema?.validated ?? [] { checkKey(of: table, at: place, &found) }
  }

  private static func checkOnly(_ root: Cursor, _ section: Cursor?, _ found: inout FindingList) {
    guard let only = section?["ValidationOnly"], only.node.bool == true else { return }
    if section?["EnableValidation"]?.node.bool != true {
      found.add(
        .validationOnlyWithoutValidation,
        at: only,
        "ValidationOnly loads nothing, and without EnableValidation nothing is validated either",
        advice: "write \"EnableValidation\": true, or remove it"
      )
    }
    let preparation = root["FullLoadSettings"]?["TargetTablePrepMode"]
    guard preparation?.node.string != "DO_NOTHING" else { return }
    found.add(
      .validationOnlyPreparation,
      at: preparation ?? only,
      "a task that only validates must leave the tables as they are, or it would compare tables that it has emptied",
      advice: "write \"TargetTablePrepMode\": \"DO_NOTHING\" in \"FullLoadSettings\""
    )
  }

  private static func checkLimits(_ section: Cursor, _ place: Cursor, _ found: inout FindingList) {
    for (key, standard, subject) in [
      ("FailureMaxCount", "10,000", "the task"), ("TableFailureMaxCount", "1,000", "a table"),
    ]
    where section[key] == nil {
      found.add(
        .validationFailureLimit,
        at: place,
        "\(key) is not set, so validation stops after \(standard) failures of \(subject), and the rows that were not compared go unreported",
        advice: "write \"\(key)\" in \"ValidationSettings\", as high as the number of failures you want to see"
      )
    }
  }

  private static func checkKey(of table: KnownSchema.Table, at place: Cursor, _ found: inout FindingList) {
    let key = table.columns.filter { $0.isKey == true }
    guard !key.isEmpty else {
      found.add(
        .validationKey,
        at: place,
        "the table \(table.name) has no primary key, and DMS validates only tables with one or with a unique index",
        advice: "leave the table out, or compare it after the merge with merge-engine verify"
      )
      return
    }
    for column in key {
      if let reason = fault(of: column.type) {
        found.add(
          .validationKey,
          at: place,
          "the key column \(column.name) of \(table.name) is of type \(column.type), \(reason)",
          advice: "leave the table out, or compare it after the merge with merge-engine verify"
        )
      }
      if let collation = column.collation, !["C", "POSIX"].contains(collation) {
        found.add(
          .validationCollation,
          at: place,
          "the key column \(column.name) of \(table.name) is sorted by \(collation) in PostgreSQL and by its bytes in Oracle, so that DMS "
            + "may take rows for missing that are there",
          advice:
            "write \"HandleCollationDiff\": true in \"ValidationSettings\", or give the column the collation \"C\""
        )
      }
    }
  }

  /// Why a key of this type can't be validated; nil if it can.
  private static func fault(of type: String) -> String? {
    if uncomparableTypes.contains(type) { return "and DMS does not compare keys of that type" }
    guard type.hasPrefix("character") else { return nil }
    let length = Int(type.filter(\.isNumber)) ?? 0
    return length < keyLengthLimit ? nil : "and DMS compares keys shorter than \(keyLengthLimit) characters"
  }
}
