"""A first look at a business's bookings: the analysts' questions as pictures.

pip install -c constraints.txt '.[duckdb,notebook]'
marimo edit examples/notebook/first-look.py -- --config zimun-sync.yaml
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="A first look at the bookings")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # A first look at the bookings

    Every picture is one question to the views that `docs/analysts.md` explains; change the SQL and
    the picture follows. Days and hours are each location's own.
    """)
    return


@app.cell
def _():
    import altair as alt
    import marimo as mo

    import zimun_sync

    db = zimun_sync.connect(mo.cli_args().get("config") or "zimun-sync.yaml")

    def ask(sql):
        return db.sql(sql).to_arrow_table()

    return alt, ask, mo


@app.cell
def _(alt, ask):
    weeks = ask("""
        SELECT date_trunc('week', m.local_date)::DATE AS week, l.name AS location,
               sum(m.bookings)::BIGINT AS bookings
        FROM metrics_daily m JOIN dim_location l USING (_source, location_id)
        GROUP BY ALL ORDER BY ALL
    """)
    weeks_chart = (
        alt.Chart(weeks, title="Bookings a week", width=600)
        .mark_line()
        .encode(x="week:T", y="bookings:Q", color="location:N")
    )
    weeks_chart
    return (weeks_chart,)


@app.cell
def _(alt, ask):
    no_shows = ask("""
        SELECT s.name AS service,
               sum(m.no_shows)::DOUBLE / sum(m.no_shows + m.completed) AS missed
        FROM metrics_daily m JOIN dim_service s USING (_source, service_id)
        GROUP BY s.name HAVING sum(m.no_shows + m.completed) > 0
    """)
    no_shows_chart = (
        alt.Chart(no_shows, title="Appointments that nobody turned up for")
        .mark_bar()
        .encode(x=alt.X("missed:Q").axis(format="%"), y=alt.Y("service:N").sort("-x"))
    )
    no_shows_chart
    return (no_shows_chart,)


@app.cell
def _(alt, ask):
    utilization = ask("""
        SELECT u.local_date AS day, p.name || ' (' || u.staff_id || ')' AS staff, u.utilization
        FROM metrics_utilization u JOIN dim_staff p USING (_source, staff_id)
        WHERE u.offered_minutes > 0
    """)
    utilization_chart = (
        alt.Chart(utilization, title="How much of the offered time is booked")
        .mark_rect()
        .encode(
            x="yearmonthdate(day):O",
            y="staff:N",
            color=alt.Color("utilization:Q").scale(domain=[0, 1]).legend(format="%"),
        )
    )
    utilization_chart
    return (utilization_chart,)


@app.cell
def _(alt, ask):
    revenue = ask("""
        SELECT date_trunc('month', local_date)::DATE AS month, price_currency AS currency,
               sum(revenue)::DOUBLE AS revenue
        FROM metrics_daily WHERE price_currency IS NOT NULL
        GROUP BY ALL ORDER BY ALL
    """)
    revenue_chart = (
        alt.Chart(revenue, title="Booked revenue by month", height=120)
        .mark_bar()
        .encode(x="yearmonth(month):O", y="revenue:Q", row="currency:N")
        .resolve_scale(y="independent")
    )
    revenue_chart
    return (revenue_chart,)


@app.cell
def _(alt, ask):
    lead_times = ask("""
        SELECT least(lead_time_minutes // 1440, 28) AS days, count(*) AS bookings
        FROM fact_appointments WHERE is_booked AND lead_time_minutes >= 0
        GROUP BY ALL ORDER BY ALL
    """)
    lead_times_chart = (
        alt.Chart(lead_times, title="Days from booking to appointment (28: or more)")
        .mark_bar()
        .encode(x="days:O", y="bookings:Q")
    )
    lead_times_chart
    return (lead_times_chart,)


@app.cell
def _(alt, ask):
    cancellations = ask("""
        SELECT least(greatest(cancel_notice_minutes // 1440, -1), 14) AS days_before,
               count(*) AS cancelled
        FROM fact_appointments WHERE is_cancelled AND cancel_notice_minutes IS NOT NULL
        GROUP BY ALL ORDER BY ALL
    """)
    cancellations_chart = (
        alt.Chart(cancellations, title="How long before the start people cancel (14: or more)")
        .mark_bar()
        .encode(x="days_before:O", y="cancelled:Q")
    )
    cancellations_chart
    return (cancellations_chart,)


@app.cell
def _(alt, ask):
    customers = ask("""
        SELECT date_trunc('month', local_date)::DATE AS month,
               CASE WHEN is_new_customer THEN 'new' ELSE 'returning' END AS customer,
               count(DISTINCT customer_id) AS customers
        FROM fact_appointments WHERE visit_number IS NOT NULL
        GROUP BY ALL ORDER BY ALL
    """)
    customers_chart = (
        alt.Chart(customers, title="New and returning customers")
        .mark_bar()
        .encode(x="yearmonth(month):O", y="customers:Q", color="customer:N")
    )
    customers_chart
    return (customers_chart,)


@app.cell
def _(alt, ask):
    hours = ask("""
        SELECT l.name AS location, f.local_weekday AS weekday, f.local_hour AS hour,
               count(*) AS bookings
        FROM fact_appointments f JOIN dim_location l USING (_source, location_id)
        WHERE f.is_booked GROUP BY ALL ORDER BY ALL
    """)
    hours_chart = (
        alt.Chart(hours, title="The busiest hours, by the location's clock; 1 is Monday")
        .mark_rect()
        .encode(x="hour:O", y="weekday:O", color="bookings:Q", column="location:N")
    )
    hours_chart
    return (hours_chart,)


@app.cell
def _(alt, ask):
    changes = ask("""
        SELECT (valid_from AT TIME ZONE 'UTC')::DATE AS day, learnt_by, count(*) AS changes
        FROM appointment_history WHERE changed IS NOT NULL
        GROUP BY ALL ORDER BY ALL
    """)
    changes_chart = (
        alt.Chart(changes, title="Changes a day, and how they were learnt")
        .mark_bar()
        .encode(x="yearmonthdate(day):O", y="changes:Q", color="learnt_by:N")
    )
    changes_chart
    return (changes_chart,)


if __name__ == "__main__":
    app.run()
