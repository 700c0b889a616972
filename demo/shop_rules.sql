-- Keys, rules and rights.
ALTER TABLE shop.customers ADD PRIMARY KEY (id), ADD UNIQUE (email);
ALTER TABLE shop.products ADD PRIMARY KEY (id), ADD UNIQUE (sku);
ALTER TABLE shop.orders
    ADD PRIMARY KEY (id),
    ADD FOREIGN KEY (customer_id) REFERENCES shop.customers ON DELETE RESTRICT,
    ADD CONSTRAINT known_payment CHECK (payment IN ('card', 'invoice', 'transfer'));
ALTER TABLE shop.order_lines
    ADD PRIMARY KEY (order_id, line, placed_at),
    ADD FOREIGN KEY (order_id) REFERENCES shop.orders ON DELETE CASCADE,
    ADD FOREIGN KEY (product_id) REFERENCES shop.products,
    ADD CHECK (quantity > 0);
ALTER TABLE shop.price_changes ADD PRIMARY KEY (id), ADD FOREIGN KEY (product_id) REFERENCES shop.products;
CREATE INDEX orders_of_customer ON shop.orders (customer_id, placed_at DESC);
CREATE INDEX customers_profile ON shop.customers USING gin (profile jsonb_path_ops);
CREATE INDEX open_orders_by_time ON shop.orders (placed_at) WHERE status IN ('placed', 'paid');

CREATE FUNCTION shop.remember_price() RETURNS trigger LANGUAGE plpgsql SET search_path = shop AS $$
BEGIN
    INSERT INTO price_changes (product_id, old_price, new_price) VALUES (NEW.id, OLD.price, NEW.price);
    RETURN NEW;
END
$$;
CREATE TRIGGER remember_price AFTER UPDATE OF price ON shop.products
    FOR EACH ROW WHEN (OLD.price IS DISTINCT FROM NEW.price) EXECUTE FUNCTION shop.remember_price();
UPDATE shop.products SET price = round(price * 1.05, 2) WHERE id % 20 = 0;

CREATE VIEW shop.open_orders AS
    SELECT o.id, o.placed_at, c.name, c.country FROM shop.orders AS o JOIN shop.customers AS c ON c.id = o.customer_id
    WHERE o.status IN ('placed', 'paid');
CREATE MATERIALIZED VIEW shop.turnover AS
    SELECT date_trunc('month', placed_at, 'UTC') AS month, count(*) AS lines, sum(total) AS total
    FROM shop.order_lines GROUP BY 1;
CREATE UNIQUE INDEX turnover_month ON shop.turnover (month);

GRANT USAGE ON SCHEMA shop TO shop_app, shop_report;
GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA shop TO shop_app;
GRANT USAGE ON SEQUENCE shop.invoice_number TO shop_app;
GRANT SELECT ON shop.turnover, shop.open_orders TO shop_report;
GRANT SELECT (id, country, joined) ON shop.customers TO shop_report;
GRANT SELECT ON LARGE OBJECT 20260401 TO shop_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO shop_report;

ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_country ON shop.customers TO shop_app USING (country = current_setting('shop.country', true));
