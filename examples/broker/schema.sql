-- The tables of broker.py, in a schema of its own.
CREATE SCHEMA "Trading";
CREATE TYPE "Trading"."OrderState" AS ENUM
    ('Accepted', 'Simulated', 'Routed', 'Settled', 'Refused stale', 'Refused limit');
CREATE TABLE "Trading"."Orders" (
    "row" bigserial, "orderId" text COLLATE "C" NOT NULL, "account" text NOT NULL,
    "State" "Trading"."OrderState" NOT NULL DEFAULT 'Accepted', "nonce" bigint,
    "touches" int NOT NULL DEFAULT 0, "touchedAt" timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY ("orderId", "row")) PARTITION BY HASH ("orderId");
CREATE TABLE "Trading"."Orders 0" PARTITION OF "Trading"."Orders"
    FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE "Trading"."Orders 1" PARTITION OF "Trading"."Orders"
    FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE "Trading"."Orders 2" PARTITION OF "Trading"."Orders"
    FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE "Trading"."Order Archive" (LIKE "Trading"."Orders" INCLUDING ALL);
CREATE TABLE "Trading"."Accounts" ("account" text PRIMARY KEY, "Next nonce" bigint NOT NULL);
CREATE TABLE "Trading"."Fills" (
    "fillId" bigserial PRIMARY KEY, "booking" uuid NOT NULL, "orderId" text COLLATE "C" NOT NULL,
    "book" text NOT NULL, "Kind" text NOT NULL, "minorUnits" bigint NOT NULL);
CREATE INDEX ON "Trading"."Fills" ("orderId");
CREATE PUBLICATION "Broker orders" FOR TABLE "Trading"."Orders"
    WITH (publish = 'insert, update', publish_via_partition_root = true);
