-- What the shop itself would look at, asked of the server and not of Holdfast: is everything there?
SELECT jsonb_object_agg(name, value) FROM (
    SELECT 'customers' AS name, count(*)::text AS value FROM shop.customers
    UNION ALL SELECT 'products', count(*) || ' worth ' || sum(price) FROM shop.products
    UNION ALL SELECT 'orders', count(*) || ', open ' || (SELECT count(*) FROM shop.open_orders) FROM shop.orders
    UNION ALL SELECT 'order lines', count(*) || ' worth ' || sum(total) FROM shop.order_lines
    UNION ALL SELECT 'turnover', count(*) || ' months, ' || sum(total) FROM shop.turnover
    UNION ALL SELECT 'archive', count(*) || ' worth ' || sum("Total €") FROM "ShopArchive"."Orders2025"
    UNION ALL SELECT 'images', sum(length(image)) || ' bytes' FROM shop.products
    UNION ALL SELECT 'documents', string_agg(md5(lo_get(content)), ' ' ORDER BY name) FROM shop.documents
    UNION ALL SELECT 'next invoice', last_value || ' ' || is_called FROM shop.invoice_number
    UNION ALL SELECT 'rights', format('app %s, report %s', has_table_privilege('shop_app', 'shop.orders', 'INSERT'),
        has_column_privilege('shop_report', 'shop.customers', 'country', 'SELECT'))
    UNION ALL SELECT 'settings', current_setting('TimeZone') || ' ' || current_setting('shop.country', true)
) AS facts;
