# Milliseconds of an update on the left, tokens a second on the right, against the first column of `data`.
set terminal svg size 600,360 font "sans-serif,12" background "white"
set title sprintf("An update on %s\n%s", model, cpu)
set xlabel label
set ylabel "milliseconds"
set y2label "tokens a second"
set ytics nomirror
set y2tics
set yrange [0:*]
set y2range [0:*]
set grid
set key outside bottom center horizontal
if (exists("doubling")) set logscale x 2
plot data using 1:2 skip 2 with linespoints pointtype 7 title "time", \
     data using 1:3 skip 2 axes x1y2 with linespoints pointtype 6 dashtype 2 title "tokens a second"
