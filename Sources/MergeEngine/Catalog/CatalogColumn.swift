import Libpq

/// A column of a table as the catalog describes it.
struct CatalogColumn: Sendable {
  /// How a value of a type gets from one table to another.
  enum Travel: Sendable {
    /// In the type's own binary form.
    case binary
    /// As text: the type (or the element type of the array) has no binary form.
    case text
  }

  let name: Identifier
  /// The type as SQL, with its modifier, as `numeric(10,2)`; for a domain the domain's name.
  let declaredType: SQL
  /// The type underneath all domains.
  var baseType: BaseType
  /// Its type is a domain that says nothing of what stands there by default.
  var isOfBareDomain = false
  let isNotNull: Bool
  let hasDefault: Bool
  let isGenerated: Bool
  let isIdentity: Bool
  /// GENERATED ALWAYS AS IDENTITY: can be inserted with OVERRIDING SYSTEM VALUE, and never be updated.
  let isIdentityAlways: Bool
  let travel: Travel
  /// The same for a value that leaves its database and comes into another one.
  var travelElsewhere: Travel { TypeOID.objectNumbers.contains(baseType.oid) ? .text : travel }
  /// What the table itself calls it, where ``name`` is what another table calls it.
  let nameInTable: Identifier
  /// What stands in `pg_attribute`; nil where a file says what the column is.
  var declared: Declaration?

  /// A column as it was declared: its number in the table, and its type, with domains as domains.
  struct Declaration: Sendable {
    let number: Int
    let type: UInt32
    let modifier: Int
  }

  init(
    name: Identifier,
    declaredType: SQL,
    baseType: BaseType,
    isNotNull: Bool,
    hasDefault: Bool,
    isGenerated: Bool,
    isIdentity: Bool,
    isIdentityAlways: Bool,
    travel: Travel,
    nameInTable: Identifier? = nil
  ) {
    self.name = name
    self.declaredType = declaredType
    self.baseType = baseType
    self.isNotNull = isNotNull
    self.hasDefault = hasDefault
    self.isGenerated = isGenerated
    self.isIdentity = isIdentity
    self.isIdentityAlways = isIdentityAlways
    self.travel = travel
    self.nameInTable = nameInTable ?? name
  }

  /// The same column by another name.
  ///
  /// - Parameter nameInTable: what the table itself calls it; nil if it goes by the new name there too.
  func renamed(_ name: Identifier, nameInTable: Identifier? = nil) -> CatalogColumn {
    guard name != self.name else { return self }
    var column = CatalogColumn(
      name: name,
      declaredType: declaredType,
      baseType: baseType,
      isNotNull: isNotNull,
      hasDefault: hasDefault,
      isGenerated: isGenerated,
      isIdentity: isIdentity,
      isIdentityAlways: isIdentityAlways,
      travel: travel,
      nameInTable: nameInTable
    )
    column.declared = declared
    return column
  }

  /// The type underneath all domains, with its modifier.
  struct BaseType: Sendable, Hashable {
    let oid: UInt32
    /// The modifier (length, precision, scale), or -1.
    let modifier: Int
    /// The type as SQL without its modifier, as `numeric`.
    let plainName: SQL
    /// The type as SQL with its modifier, as `numeric(10,2)`.
    let fullName: SQL
    /// The type's array type; 0 if it has none (as arrays themselves), or if `unnest` would take its elements apart
    /// (composite types).
    let arrayOid: UInt32
    /// The column's collation, if it takes strings for equal whose bytes differ.
    let nonDeterministicCollation: SQL?

    /// The column's collation, where that is not the database's.
    var declaredCollation: SQL?

    /// A value as the column holds it, for expressions that go by its collation.
    func declared(_ value: SQL) -> SQL { declaredCollation.map { "(\(value)) COLLATE \($0)" } ?? value }

    /// A value as the column compares it, where two strings may be equal whose bytes differ.
    func collated(_ value: SQL) -> SQL { nonDeterministicCollation.map { "(\(value)) COLLATE \($0)" } ?? value }

    /// What values of the type are equal by: a name for all whole numbers, one for all texts that compare by their bytes.
    var equalityName: String {
      switch oid {
      case TypeOID.int2, TypeOID.int4, TypeOID.int8: "integer"
      case TypeOID.text, TypeOID.varchar: nonDeterministicCollation?.text ?? "text"
      default: plainName.text + (nonDeterministicCollation.map { " \($0.text)" } ?? "")
      }
    }

    /// text, as what files hold.
    static let text = BaseType(
      oid: TypeOID.text,
      modifier: -1,
      plainName: "text",
      fullName: "text",
      arrayOid: TypeOID.textArray,
      nonDeterministicCollation: nil
    )

    /// Whether the type comes with the server.
    ///
    /// `FirstNormalObjectId` in the server's `access/transam.h`.
    var isBuiltIn: Bool { oid < 16384 }

    /// Whether the binary form of a value means the same in every database.
    var meansSameElsewhere: Bool { isBuiltIn && !TypeOID.objectNumbers.contains(oid) }

    /// Casting to the modifier may cut what storing refuses: the type's own function for lengths (an array's elements' one)
    /// takes a third argument, whether the cast is explicit, and so may tell one from the other.
    ///
    /// varchar, bit and their like; extensions' types in the same way:
    /// <https://www.postgresql.org/docs/current/sql-createcast.html>.
    var castTruncates = false

    /// The same of an array of domains, whose lengths are the domains': every cast to it is one to them.
    var castTruncatesElements = false
    /// Of an array of domains the array of the type underneath them, without a length; nil where that does not come with the server.
    var plainElements: SQL?

    /// Only the server's assignment finds what is too long: reading the binary form need not look at the modifier, as the
    /// types do that come with the server.
    var needsAssignment: Bool { castTruncates && modifier >= 0 && !isBuiltIn }

    /// The same of the elements of an array.
    var elementCharacterLimit: Int? {
      [TypeOID.bpcharArray, TypeOID.varcharArray].contains(oid) && modifier >= 4 ? modifier - 4 : nil
    }

    /// What assignment to the type makes of a value of ``plainName``: of blanks behind the limit of a varchar nothing is left,
    /// and only what else stands there is refused. A char compares without them anyway.
    ///
    /// <https://www.postgresql.org/docs/current/datatype-character.html>
    func asAssigned(_ value: SQL, from source: BaseType) -> SQL {
      if oid == TypeOID.varcharArray, let limit = elementCharacterLimit {
        return """
          CASE WHEN EXISTS (SELECT FROM unnest(\(value)) AS e (value) WHERE char_length(rtrim(e.value)) > \(limit))
               THEN \(value) ELSE (\(value))::\(fullName) END
          """
      }
      guard oid == TypeOID.varchar, let limit = characterLimit, source.characterLimit.map({ $0 > limit }) ?? true else {
        return value
      }
      return """
        CASE WHEN char_length(\(value)) > \(limit) AND char_length(rtrim(\(value))) <= \(limit)
             THEN (\(value))::\(fullName) ELSE \(value) END
        """
    }

    /// The length of varchar(n) and char(n) in characters; nil for other types and without a limit.
    var characterLimit: Int? { [TypeOID.bpchar, TypeOID.varchar].contains(oid) && modifier >= 4 ? modifier - 4 : nil }

    /// Precision and scale of numeric(p,s); nil for other types and without a limit.
    ///
    /// `numeric_typmod_precision` and `numeric_typmod_scale` in the server's `utils/adt/numeric.c`.
    var numericDigits: (precision: Int, scale: Int)? {
      guard oid == TypeOID.numeric, modifier >= 4 else { return nil }
      let packed = modifier - 4
      return (packed >> 16 & 0xFFFF, (packed & 0x7FF ^ 1024) - 1024)
    }

    /// Equal values always have equal bytes, so that duplicates of a key can be found without asking the server.
    ///
    /// Not on the list, though ordered: float4 and float8 (-0 equals 0), bpchar and citext (padding, case), interval,
    /// numeric without a scale (1.0 equals 1.00), records, ranges and arrays of such.
    var equalityIsBytewise: Bool {
      switch oid {
      case _ where TypeOID.shortAndFixed.contains(oid): true
      case TypeOID.bytea, TypeOID.uuid, TypeOID.macaddr, TypeOID.inet: true
      case TypeOID.name, TypeOID.text, TypeOID.varchar: nonDeterministicCollation == nil
      // With a scale in the modifier all values carry the same display scale.
      case TypeOID.numeric: modifier >= 0
      default: false
      }
    }
  }
}
