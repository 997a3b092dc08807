/// What somebody has who followed the implementation guide: its SQL, word for word.
///
/// The guide's merge procedure is left out; it is what the program replaces.
enum GuideSQL {
  /// Step 1.1: staging and log tables.
  static let tables = """
    -- Create staging schema
    CREATE SCHEMA IF NOT EXISTS staging;

    -- Create staging tables mirroring your production tables
    CREATE TABLE staging.customers (
        customer_id INTEGER PRIMARY KEY,
        name VARCHAR(100),
        email VARCHAR(100),
        status VARCHAR(20),
        created_at TIMESTAMP,
        updated_at TIMESTAMP,
        _dms_processing_status VARCHAR(20) DEFAULT 'NEW'
    );

    CREATE TABLE staging.orders (
        order_id INTEGER PRIMARY KEY,
        customer_id INTEGER,
        amount NUMERIC(10,2),
        order_date TIMESTAMP,
        updated_at TIMESTAMP,
        _dms_processing_status VARCHAR(20) DEFAULT 'NEW'
    );

    -- Create indexes for optimization
    CREATE INDEX idx_customers_updated_at ON staging.customers(updated_at);
    CREATE INDEX idx_orders_updated_at ON staging.orders(updated_at);

    -- Create admin schema for logging and monitoring
    CREATE SCHEMA IF NOT EXISTS admin;

    -- Create log tables
    CREATE TABLE admin.merge_logs (
        id SERIAL PRIMARY KEY,
        table_name VARCHAR(100),
        merge_time TIMESTAMP,
        records_updated INT,
        records_inserted INT
    );

    CREATE TABLE admin.merge_summary (
        id SERIAL PRIMARY KEY,
        merge_start TIMESTAMP,
        merge_end TIMESTAMP,
        status VARCHAR(20),
        notes TEXT
    );
    """

  /// Step 1.3: the status view.
  static let statusView = """
    CREATE OR REPLACE VIEW admin.oracle_pg_migration_status AS
    SELECT
        'customers' AS table_name,
        COUNT(*) AS total_records,
        SUM(CASE WHEN _dms_processing_status = 'NEW' THEN 1 ELSE 0 END) AS pending_records,
        SUM(CASE WHEN _dms_processing_status = 'PROCESSED' THEN 1 ELSE 0 END) AS processed_records,
        SUM(CASE WHEN _dms_processing_status = 'ERROR' THEN 1 ELSE 0 END) AS error_records
    FROM staging.customers
    UNION ALL
    SELECT
        'orders' AS table_name,
        COUNT(*) AS total_records,
        SUM(CASE WHEN _dms_processing_status = 'NEW' THEN 1 ELSE 0 END) AS pending_records,
        SUM(CASE WHEN _dms_processing_status = 'PROCESSED' THEN 1 ELSE 0 END) AS processed_records,
        SUM(CASE WHEN _dms_processing_status = 'ERROR' THEN 1 ELSE 0 END) AS error_records
    FROM staging.orders;
    """

  /// Step 4.3: the type verification view.
  static let typesView = """
    CREATE OR REPLACE VIEW admin.oracle_pg_type_verification AS
    WITH target_columns AS (
        SELECT
            t.table_schema,
            t.table_name,
            c.column_name,
            c.data_type,
            c.character_maximum_length,
            c.numeric_precision,
            c.numeric_scale
        FROM
            information_schema.tables t
        JOIN
            information_schema.columns c ON t.table_schema = c.table_schema AND t.table_name = c.table_name
        WHERE
            t.table_schema = 'production'
            AND t.table_type = 'BASE TABLE'
    ),
    staging_columns AS (
        SELECT
            t.table_schema,
            t.table_name,
            c.column_name,
            c.data_type,
            c.character_maximum_length,
            c.numeric_precision,
            c.numeric_scale
        FROM
            information_schema.tables t
        JOIN
            information_schema.columns c ON t.table_schema = c.table_schema AND t.table_name = c.table_name
        WHERE
            t.table_schema = 'staging'
            AND t.table_type = 'BASE TABLE'
    )
    SELECT
        t.table_name,
        t.column_name,
        t.data_type AS target_data_type,
        s.data_type AS staging_data_type,
        CASE
            WHEN t.data_type <> s.data_type THEN 'DATA TYPE MISMATCH'
            WHEN t.character_maximum_length <> s.character_maximum_length AND t.character_maximum_length IS NOT NULL THEN 'LENGTH MISMATCH'
            WHEN t.numeric_precision <> s.numeric_precision AND t.numeric_precision IS NOT NULL THEN 'PRECISION MISMATCH'
            WHEN t.numeric_scale <> s.numeric_scale AND t.numeric_scale IS NOT NULL THEN 'SCALE MISMATCH'
            ELSE 'OK'
        END AS status
    FROM
        target_columns t
    JOIN
        staging_columns s ON t.table_name = s.table_name AND t.column_name = s.column_name
    WHERE
        t.data_type <> s.data_type
        OR (t.character_maximum_length <> s.character_maximum_length AND t.character_maximum_length IS NOT NULL)
        OR (t.numeric_precision <> s.numeric_precision AND t.numeric_precision IS NOT NULL)
        OR (t.numeric_scale <> s.numeric_scale AND t.numeric_scale IS NOT NULL);
    """

  /// The tables that the guide takes for granted.
  static let production = """
    CREATE SCHEMA production;
    CREATE TABLE production.customers (
        customer_id INTEGER PRIMARY KEY,
        name VARCHAR(100),
        email VARCHAR(100),
        status VARCHAR(20),
        created_at TIMESTAMP,
        updated_at TIMESTAMP
    );
    CREATE TABLE production.orders (
        order_id INTEGER PRIMARY KEY,
        customer_id INTEGER,
        amount NUMERIC(10,2),
        order_date TIMESTAMP,
        updated_at TIMESTAMP
    );
    CREATE INDEX ON production.orders (customer_id);
    """
}
