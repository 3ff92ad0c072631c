# Quantiles of malloc's latency.
set terminal svg size 900,520 dynamic background "#ffffff"
set output out
set title "latency of malloc at 256 threads, ns"
set logscale y
set offsets 0.3, 0.3, 0, 0
plot for [i = 2 : nr + 1] data using 0:i:xticlabel(1) lw 2 pt 7 ps 0.6 \
	lc rgb colour[i - 1] title columnheader(i)
